import { creditsMicros, type Money } from "@bourse/scoring";
import { type Award, beginAward } from "./award.ts";
import type { Bid } from "./bid.ts";
import { currencyOf } from "./bid.ts";
import { checkCurrency } from "./delivery.ts";
import { cancel, type FollowUp, settle, tell } from "./follow-up.ts";
import type { Step, Task } from "./task.ts";
import { type EndReason, invalidState, lastAward, move, type Outcome } from "./task.ts";

/** What the evaluator says of an awarded task. */
export interface Report {
  readonly success: boolean;
  readonly evaluation: string;
  /** How long it took; absent: the time from the award to the delivery, or to now. */
  readonly actualLatencyMs?: bigint | undefined;
  /** What it cost; absent: as the winner said, or as bid. */
  readonly actualCost?: Money | undefined;
}

/** The longest latency that is told: a year. */
const LATENCY_MS_MAX = 31_536_000_000n;

/**
 * Accepts a delivery; a task that SUCCEEDED is left as it is.
 * @throws Rejection INVALID_TASK_STATE
 */
export function accept(task: Task, evaluation: string, now: Date): Step {
  if (task.state === "SUCCEEDED") return { task, followUps: [] };
  if (task.state !== "DELIVERED") throw invalidState(task, "accepted");
  return complete(task, "ACCEPTED", { success: true, evaluation }, now);
}

/** Accepts a delivery that the evaluator said nothing about within the review window. */
export function acceptBySilence(task: Task, now: Date): Step {
  return complete(task, "ACCEPTED_BY_SILENCE", { success: true, evaluation: "" }, now);
}

/**
 * Rejects a delivery; a task that was REJECTED is left as it is.
 * @throws Rejection INVALID_TASK_STATE
 */
export function reject(task: Task, evaluation: string, now: Date): Step {
  if (task.endReason === "REJECTED") return { task, followUps: [] };
  if (task.state !== "DELIVERED") throw invalidState(task, "rejected");
  return complete(task, "REJECTED", { success: false, evaluation }, now);
}

/**
 * Ends an awarded task by a report, delivered or not; the same report again changes nothing.
 * @throws Rejection INVALID_TASK_STATE, CURRENCY_MISMATCH
 */
export function report(task: Task, said: Report, now: Date): Step {
  if (isReported(task, said)) return { task, followUps: [] };
  if (task.state !== "AWARDED" && task.state !== "DELIVERED") throw invalidState(task, "completed");
  checkCurrency(task, said.actualCost, "actual_cost.currency_code");
  return complete(task, said.success ? "ACCEPTED" : "REJECTED", said, now);
}

/**
 * Takes a task from a winner that has not delivered in time, which counts as a failure of the
 * winner: the next in the ranking gets it, and when there is none it has failed.
 */
export function lapse(task: Task, bids: readonly Bid[], now: Date): Step {
  const award = awardOf(task);
  // Counted to the deadline and not to now: the market may have been away.
  const outcome = outcomeOf(award, false, task.spec.requirements.maxLatencyMs);
  const losses: readonly FollowUp[] = [
    cancel(award.transactionId),
    ...judgement(task, award, outcome, now),
    tell(task, now, "award_lapsed", {
      nth: award.epoch,
      subjects: { winner: award.agentId },
      payload: { epoch: award.epoch, deadline: award.deadline?.toISOString() ?? "" },
    }),
  ];
  const next = beginAward(task, bids, "LAPSE", now);
  if (next !== undefined) return { task: next.task, followUps: [...losses, ...next.followUps] };
  const failed = move(task, "FAILED", { updateTime: now, endReason: "NOT_DELIVERED", outcome });
  return { task: failed, followUps: [...losses, completed(failed, award, outcome, now)] };
}

function complete(
  task: Task,
  reason: Extract<EndReason, "ACCEPTED" | "ACCEPTED_BY_SILENCE" | "REJECTED">,
  said: Report,
  now: Date,
): Step {
  const award = awardOf(task);
  const outcome = outcomeOf(
    award,
    said.success,
    said.actualLatencyMs ?? elapsedMs(award, task.result?.deliverTime ?? now),
    said.actualCost?.micros ?? task.result?.actualCostMicros,
  );
  const ended = move(task, said.success ? "SUCCEEDED" : "FAILED", {
    updateTime: now,
    endReason: reason,
    outcome,
    evaluation: said.evaluation,
  });
  const money = said.success ? settle(award.transactionId) : cancel(award.transactionId);
  return {
    task: ended,
    followUps: [
      money,
      ...judgement(ended, award, outcome, now),
      completed(ended, award, outcome, now),
    ],
  };
}

/** What an outcome earns or costs the winner: credits and reputation. */
function judgement(task: Task, award: Award, outcome: Outcome, now: Date): readonly FollowUp[] {
  const creditMicros = creditsMicros({
    success: outcome.success,
    bidMicros: award.bidMicros,
    estimatedLatencyMs: outcome.estimatedLatencyMs,
    actualLatencyMs: outcome.actualLatencyMs,
    actualCostMicros: outcome.actualCostMicros,
  });
  const { taskId, requester } = task;
  const { agentId, epoch } = award;
  const judged: FollowUp = {
    kind: "outcome",
    outcomeId: `${taskId}/${epoch}`,
    agentId,
    requester,
    capability: mainCapability(task),
    currency: currencyOf(task),
    outcome,
    endTime: now,
  };
  // Half of a bid of one micro rounds to nothing, which the ledger would refuse.
  if (creditMicros === 0n) return [judged];
  const creditId = `credits:${taskId}:${epoch}`;
  return [{ kind: "credits", creditId, agentId, creditMicros, taskId }, judged];
}

/** The capability that a task is paid and judged for: the first it requires. */
export function mainCapability(task: Task): string {
  return task.spec.requirements.capabilities[0] ?? "";
}

function completed(task: Task, award: Award, outcome: Outcome, now: Date): FollowUp {
  return tell(task, now, "task_completed", {
    subjects: { winner: award.agentId },
    payload: {
      success: outcome.success,
      reason: task.endReason ?? "",
      epoch: award.epoch,
      actual_latency_ms: outcome.actualLatencyMs,
      estimated_latency_ms: outcome.estimatedLatencyMs,
      price_micros: award.priceMicros,
      currency: currencyOf(task),
    },
  });
}

function outcomeOf(
  award: Award,
  success: boolean,
  latencyMs: bigint,
  actualCostMicros?: bigint,
): Outcome {
  return {
    success,
    estimatedLatencyMs: award.bidLatencyMs,
    actualLatencyMs: bounded(latencyMs),
    priceMicros: award.bidMicros,
    actualCostMicros,
  };
}

function bounded(latencyMs: bigint): bigint {
  if (latencyMs < 1n) return 1n;
  return latencyMs > LATENCY_MS_MAX ? LATENCY_MS_MAX : latencyMs;
}

function elapsedMs(award: Award, end: Date): bigint {
  return BigInt(end.getTime() - (award.awardTime?.getTime() ?? end.getTime()));
}

function isReported({ outcome, evaluation, endReason }: Task, said: Report): boolean {
  if (outcome === undefined || endReason === "NOT_DELIVERED") return false;
  const { actualLatencyMs, actualCost } = said;
  return (
    outcome.success === said.success &&
    evaluation === said.evaluation &&
    (actualLatencyMs === undefined || bounded(actualLatencyMs) === outcome.actualLatencyMs) &&
    (actualCost === undefined || actualCost.micros === outcome.actualCostMicros)
  );
}

function awardOf(task: Task): Award {
  const award = lastAward(task);
  if (award === undefined) throw new Error(`task ${task.taskId} has no award`);
  return award;
}
