import type { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { callOptions } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { beginAward } from "../award.ts";
import { readResult, writeTask } from "../codec/task.ts";
import { readDuration, readMoney } from "../codec/value.ts";
import { accept, reject, report } from "../completion.ts";
import { deliver } from "../delivery.ts";
import type { Act } from "../mover.ts";
import { invalidState, lastAward, type Step, type Task } from "../task.ts";
import { requireEvaluator, requireRequester } from "../viewer.ts";
import { scoredBid } from "./bids.ts";
import { callerOf, type Parts } from "./parts.ts";

type AwardMethods = Pick<
  ServiceImpl<typeof AuctionService>,
  "awardTask" | "submitResult" | "acceptResult" | "rejectResult" | "completeTask"
>;

/** Awarding, delivering and judging. */
export function awardMethods({ store, mover, award }: Parts): AwardMethods {
  async function moved(taskId: string, act: Act, ctx: HandlerContext) {
    const task = await mover.move(taskId, act, ctx.signal);
    return { task: writeTask(task, callerOf(ctx)) };
  }

  return {
    async awardTask({ taskId }, ctx) {
      const viewer = callerOf(ctx);
      const begun = await mover.move(
        taskId,
        async (current, tx, at) => {
          requireRequester(current, viewer);
          if (current.state !== "OPEN") return unlessAwarded(current);
          const step = beginAward(current, await tx.bids(taskId), "HAND", at);
          if (step === undefined) throw noBids(taskId);
          return step;
        },
        ctx.signal,
      );
      const { task, fault } = await award(begun, callOptions(ctx));
      if (fault !== undefined) throw ledgerAway(taskId);
      if (task.state === "OPEN" || task.endReason === "NO_FUNDS") throw noFunds(begun);
      const bids = await store.bids(taskId);
      const bid = bids.find((each) => each.bidId === lastAward(task)?.bidId);
      return {
        task: writeTask(task, viewer),
        ...(bid && { winningBid: scoredBid(task.spec, bid) }),
      };
    },

    submitResult({ taskId, agentId, awardEpoch: epoch, result }, ctx) {
      const delivery = { agentId, epoch, result: readResult(result) };
      return moved(taskId, (task, _tx, at) => deliver(task, delivery, at), ctx);
    },

    acceptResult({ taskId, evaluation }, ctx) {
      return moved(
        taskId,
        judging(ctx, (task, at) => accept(task, evaluation, at)),
        ctx,
      );
    },

    rejectResult({ taskId, evaluation }, ctx) {
      return moved(
        taskId,
        judging(ctx, (task, at) => reject(task, evaluation, at)),
        ctx,
      );
    },

    completeTask({ taskId, success, evaluation, actualLatency, actualCost }, ctx) {
      const said = {
        success,
        evaluation,
        actualLatencyMs: actualLatency && readDuration(actualLatency),
        actualCost: actualCost && readMoney(actualCost),
      };
      return moved(
        taskId,
        judging(ctx, (task, at) => report(task, said, at)),
        ctx,
      );
    },
  };
}

function judging(ctx: HandlerContext, judge: (task: Task, at: Date) => Step): Act {
  return (task, _tx, at) => {
    requireEvaluator(task, callerOf(ctx));
    return judge(task, at);
  };
}

/** A task that is being awarded, or was, is left as it is. */
function unlessAwarded(task: Task): Step {
  const { state } = task;
  if (state !== "AWARDING" && state !== "AWARDED" && state !== "DELIVERED") {
    throw invalidState(task, "awarded");
  }
  return { task, followUps: [] };
}

function noBids(taskId: string): Rejection {
  return new Rejection("NO_BIDS", `No bids submitted for task ${taskId}`, {
    metadata: { task_id: taskId },
  });
}

function noFunds(task: Task): Rejection {
  const { taskId, requester, spec } = task;
  const { currency } = spec.requirements.maxCost;
  return new Rejection(
    "INSUFFICIENT_FUNDS",
    `${requester} cannot pay the best bid on task ${taskId} in ${currency}`,
    { metadata: { task_id: taskId, requester, currency } },
  );
}

function ledgerAway(taskId: string): Rejection {
  return new Rejection(
    "LEDGER_UNAVAILABLE",
    `the ledger does not answer: task ${taskId} is awarded as soon as it does`,
    { metadata: { task_id: taskId }, retryAfterMs: 1_000 },
  );
}
