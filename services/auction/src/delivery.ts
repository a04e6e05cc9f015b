import { Rejection } from "@bourse/rpc/rejection";
import { currencyOf } from "./bid.ts";
import { type FollowUp, tell } from "./follow-up.ts";
import { invalidState, lastAward, later, move, type Result, type Step, type Task } from "./task.ts";

/** A winner's work, and the award that it answers. */
export interface Delivery {
  readonly agentId: string;
  readonly epoch: bigint;
  readonly result: Omit<Result, "deliverTime" | "actualCostMicros"> & {
    readonly actualCost?: { readonly micros: bigint; readonly currency: string } | undefined;
  };
}

/**
 * Takes the winner's work, which the evaluator then has the review window to look at. The same work
 * again changes nothing.
 * @throws Rejection NOT_WINNER, STALE_AWARD_EPOCH, INVALID_TASK_STATE, CURRENCY_MISMATCH
 */
export function deliver(task: Task, delivery: Delivery, now: Date): Step {
  const { agentId, epoch, result } = delivery;
  const { actualCost, ...work } = result;
  const award = lastAward(task);
  // An award in the making is still sealed, to the one who is to win as well.
  const told = task.awards.filter((each) => each.awardTime !== undefined);
  if (!told.some((each) => each.agentId === agentId) || award === undefined) {
    throw new Rejection("NOT_WINNER", `agent ${agentId} has not won task ${task.taskId}`, {
      metadata: { task_id: task.taskId },
    });
  }
  if (award.agentId !== agentId || BigInt(award.epoch) !== epoch) {
    throw new Rejection(
      "STALE_AWARD_EPOCH",
      `award ${epoch} of task ${task.taskId} does not hold: the task is at award ${award.epoch}`,
      { metadata: { task_id: task.taskId, award_epoch: String(award.epoch) } },
    );
  }
  const delivered = { ...work, actualCostMicros: actualCost?.micros, deliverTime: now };
  if (task.result !== undefined && isSame(task.result, delivered)) return { task, followUps: [] };
  if (task.state !== "AWARDED") throw invalidState(task, "delivered");
  checkCurrency(task, actualCost, "result.actual_cost.currency_code");
  const moved = move(task, "DELIVERED", {
    updateTime: now,
    result: delivered,
    dueTime: later(now, task.spec.reviewWindowMs),
  });
  const event = tell(moved, now, "result_delivered", {
    nth: award.epoch,
    subjects: { winner: agentId },
    payload: { epoch: award.epoch, sha256: work.sha256 },
  });
  const { transactionId, awardTime = now } = award;
  // Not below zero where a clock was set back.
  const latencyMs = BigInt(Math.max(0, now.getTime() - awardTime.getTime()));
  const note: FollowUp = { kind: "deliver", transactionId, sha256: work.sha256, latencyMs };
  return { task: moved, followUps: [note, event] };
}

/**
 * @throws Rejection CURRENCY_MISMATCH unless an amount that is given is in the currency of the task
 */
export function checkCurrency(
  task: Task,
  amount: { readonly currency: string } | undefined,
  field: string,
): void {
  const currency = currencyOf(task);
  if (amount === undefined || amount.currency === currency) return;
  const description = `the currency (${amount.currency}) is not that of the task (${currency})`;
  throw new Rejection("CURRENCY_MISMATCH", description, {
    faults: [{ field, reason: "CURRENCY_MISMATCH", description }],
    metadata: { task_id: task.taskId, currency },
  });
}

function isSame(a: Result, b: Result): boolean {
  return (
    a.output === b.output &&
    a.reference === b.reference &&
    a.sha256 === b.sha256 &&
    a.actualCostMicros === b.actualCostMicros
  );
}
