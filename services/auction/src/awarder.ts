import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { permanent } from "@bourse/service/lineage";
import type { CallOptions, Client } from "@connectrpc/connect";
import {
  type Award,
  confirmAward,
  holdTerms,
  lapsedBefore,
  postpone,
  refuseAward,
} from "./award.ts";
import { currencyOf } from "./bid.ts";
import { writeDuration, writeMoney } from "./codec/value.ts";
import { mainCapability } from "./completion.ts";
import type { Mover } from "./mover.ts";
import type { AuctionStore } from "./store.ts";
import { lastAward, type Task } from "./task.ts";

/** What became of an attempt to get a price held. */
export interface Awarding {
  /** As it stands by now. */
  readonly task: Task;
  /** Why the task is still AWARDING: what the ledger answered, or that it did not. */
  readonly fault?: unknown;
}

/**
 * Gets the price of a task that is AWARDING held in the ledger, and makes the award. Any number of
 * processes may do so at once, and again after any of them died at any line: the ledger answers by
 * the id of the hold, and the first to write down its answer moves the task.
 */
export type Awarder = (task: Task, call?: CallOptions) => Promise<Awarding>;

type Ledger = Pick<Client<typeof LedgerService>, "recordTransaction" | "cancelTransaction">;

const CALL_MS_MAX = 4_000;
const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 10_000;

/**
 * Refusals of a hold that mean that the money is not there and never will be under this id: it was
 * refused before, or somebody else has taken it.
 */
const NO_FUNDS: ReadonlySet<string | undefined> = new Set([
  "INSUFFICIENT_FUNDS",
  "TRANSACTION_ID_BURNT",
  "TRANSACTION_ID_REUSED",
]);

/** Makes an awarder. `onFault` is told of each attempt that was in vain. */
export function createAwarder(options: {
  readonly mover: Mover;
  readonly store: AuctionStore;
  readonly ledger: Ledger;
  readonly now: () => Date;
  readonly onFault: (task: Task, error: unknown) => void;
}): Awarder {
  const { mover, store, ledger, now, onFault } = options;

  async function isHeld(task: Task, award: Award, call: CallOptions): Promise<boolean> {
    const { taskId, requester } = task;
    const { holdMs, withinMs, reviewMs } = holdTerms(task, award);
    await free(lapsedBefore(task), call);
    try {
      const { transaction } = await ledger.recordTransaction(
        {
          transactionId: award.transactionId,
          payer: requester,
          provider: award.agentId,
          capability: mainCapability(task),
          amount: writeMoney(award.priceMicros, currencyOf(task)),
          context: { task_id: taskId, epoch: award.epoch },
          holdTimeout: writeDuration(holdMs),
          delivery: { within: writeDuration(withinMs), reviewWindow: writeDuration(reviewMs) },
        },
        call,
      );
      // An operator, or a rule of the ledger, may have cancelled it already: then nothing backs the award.
      return transaction?.state !== TransactionState.CANCELLED;
    } catch (error) {
      if (NO_FUNDS.has(reasonOf(error))) return false;
      throw error;
    }
  }

  /**
   * Frees the money of the award before, which the outbox would do too, but perhaps too late for
   * the next hold.
   */
  async function free(before: Award | undefined, call: CallOptions): Promise<void> {
    if (before === undefined) return;
    try {
      await ledger.cancelTransaction({ transactionId: before.transactionId }, call);
    } catch (error) {
      // Frozen by a dispute, for one: the next hold does without that money.
      if (!permanent(error)) throw error;
    }
  }

  async function delay(task: Task): Promise<Task> {
    return store.write(async (tx) => {
      const current = await tx.lockTask(task.taskId);
      if (current === undefined || !isSameAward(current, task)) return current ?? task;
      const inMs = Math.min(RETRY_MS_FIRST * 2 ** current.attempts, RETRY_MS_MAX);
      const later = postpone(current, now(), inMs);
      await tx.scheduleTask(later);
      return later;
    });
  }

  return async (task, call = {}) => {
    const award = lastAward(task);
    if (task.state !== "AWARDING" || award === undefined) return { task };
    const timeoutMs = Math.min(call.timeoutMs ?? CALL_MS_MAX, CALL_MS_MAX);
    let held: boolean;
    try {
      held = await isHeld(task, award, { ...call, timeoutMs });
    } catch (fault) {
      onFault(task, fault);
      return { task: await delay(task), fault };
    }
    const moved = await mover.move(task.taskId, (current, _tx, at) => {
      if (!isSameAward(current, task)) return { task: current, followUps: [] };
      return held ? confirmAward(current, at) : refuseAward(current, at);
    });
    return { task: moved };
  };
}

function isSameAward(current: Task, task: Task): boolean {
  return current.state === "AWARDING" && current.epoch === task.epoch;
}
