import {
  AwardPolicy,
  EndReason,
  type Task,
  TaskState,
  TaskStateSchema,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { reasonOf } from "@bourse/rpc";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountOf, allTold, creditsOf, proveBooks } from "../support/books.ts";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { refusal } from "../support/refusal.ts";
import { aTask, award, bid, deliver, look, post } from "../support/task.ts";
import { minutes, seconds } from "../support/time.ts";

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** Waits until a task is in a state. */
async function until(viewer: Actor, task: Task, state: TaskState): Promise<Task> {
  const nameOf = (each: TaskState) => TaskStateSchema.value[each]?.name;
  const options = { interval: 30 };
  await expect
    .poll(async () => nameOf((await look(viewer, task)).state), options)
    .toBe(nameOf(state));
  return look(viewer, task);
}

/** Tries with longer and longer bidding windows, until what must come in meanwhile has. */
async function untilInTime<T>(attempt: (window: Duration) => Promise<T>): Promise<T> {
  for (let window = 1; ; window *= 2) {
    try {
      return await attempt(seconds(window));
    } catch (error) {
      expect(reasonOf(error)).toBe("TASK_NOT_OPEN");
    }
  }
}

describe("work that is rejected", () => {
  test("gives the requester its money back and costs the winner credits and reputation", async () => {
    const buyer = await market.buyer("buyer", eur(10));
    const agent = await market.agent("agent");
    const task = await post(buyer);
    await bid(agent, task, { price: eur(2.3) });
    const awarded = await award(buyer, task);
    await deliver(agent, awarded);

    const rejected = await buyer.auction.rejectResult({
      taskId: task.taskId,
      evaluation: "it does not boot",
    });

    expect(rejected.task).toMatchObject({
      state: TaskState.FAILED,
      endReason: EndReason.REJECTED,
      evaluation: "it does not boot",
    });
    await allTold(market);
    const { transaction, movements } = await buyer.ledger.getTransaction({
      transactionId: awarded.award?.transactionId ?? "",
    });
    expect(transaction?.state).toBe(TransactionState.CANCELLED);
    expect(movements.map(({ kind }) => kind)).toEqual([MovementKind.HOLD, MovementKind.RELEASE]);
    expect(await accountOf(market, buyer.id, "EUR")).toMatchObject({
      postedMicros: 10_000_000n,
      heldMicros: 0n,
    });
    expect(await creditsOf(market, agent.id)).toBe(-1_150_000n);
    const { agent: judged } = await agent.registry.getAgent({ agentId: agent.id });
    expect(judged?.reputation).toMatchObject({ completedTasks: 0n, failedTasks: 1n, score: 0 });
  });
});

describe("the evaluator's one-step report", () => {
  test("earns the credits of the figures it tells", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const task = await post(buyer);
    await bid(agent, task, { price: eur(2.3), latency: minutes(25), successRate: 0.98 });
    await award(buyer, task);

    const report = { taskId: task.taskId, success: true, actualLatency: minutes(23) };
    const { task: completed } = await buyer.auction.completeTask(report);
    await buyer.auction.completeTask(report);

    expect(completed?.state).toBe(TaskState.SUCCEEDED);
    await allTold(market);
    expect(await creditsOf(market, agent.id)).toBe(2_741_600n);
    const { agent: judged } = await agent.registry.getAgent({ agentId: agent.id });
    expect(judged?.reputation?.completedTasks).toBe(1n);
    expect(judged?.reputation?.calibration).toBeCloseTo(0.9856, 6);
  });

  test("is the evaluator's to make, when the task names one", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const judge = await market.stranger("judge");
    const task = await post(buyer, aTask({ evaluator: judge.id }));
    await bid(agent, task);
    await deliver(agent, await award(buyer, task));

    const meddled = await refusal(buyer.auction.acceptResult({ taskId: task.taskId }));
    const judged = await judge.auction.acceptResult({ taskId: task.taskId });

    expect(meddled).toMatchObject({ code: "PermissionDenied", reason: "NOT_EVALUATOR" });
    expect(judged.task?.state).toBe(TaskState.SUCCEEDED);
  });
});

describe("a task that is called off", () => {
  test("ends without a hold and takes no more bids", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const late = await market.agent("late");
    const task = await post(buyer);
    await bid(agent, task);

    const { task: cancelled } = await buyer.auction.cancelTask({ taskId: task.taskId });

    expect(cancelled).toMatchObject({
      state: TaskState.CANCELLED,
      endReason: EndReason.CALLED_OFF,
    });
    expect(await refusal(bid(late, task))).toMatchObject({ reason: "TASK_NOT_OPEN" });
    const { transactions } = await buyer.ledger.listTransactions({ agentId: buyer.id });
    expect(transactions).toEqual([]);
  });
});

describe("a bidding window that closes", () => {
  test("awards the task to the best bid by itself", async () => {
    const [dear, cheap] = [await market.agent("dear"), await market.agent("cheap")];
    const { buyer, task } = await untilInTime(async (biddingWindow) => {
      const buyer = await market.buyer("buyer");
      const task = await post(buyer, aTask({ awardPolicy: AwardPolicy.ON_CLOSE, biddingWindow }));
      await bid(dear, task, { price: eur(2.4) });
      await bid(cheap, task, { price: eur(1.4) });
      return { buyer, task };
    });

    const awarded = await until(buyer, task, TaskState.AWARDED);

    expect(awarded.award?.agentId).toBe(cheap.id);
    expect(await accountOf(market, buyer.id, "EUR")).toMatchObject({ heldMicros: 1_400_000n });
  });

  test.each([
    ["without a bid", AwardPolicy.ON_CLOSE, EndReason.NO_BIDS],
    ["without a bid to award by hand", AwardPolicy.MANUAL, EndReason.NO_BIDS],
  ])("ends the task %s", async (_when, awardPolicy, reason) => {
    const buyer = await market.buyer("buyer");
    const task = await post(buyer, aTask({ awardPolicy, biddingWindow: seconds(0.2) }));

    const expired = await until(buyer, task, TaskState.EXPIRED);

    expect(expired.endReason).toBe(reason);
  });

  test("ends a task that its requester did not award in time", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const task = await untilInTime(async (biddingWindow) => {
      const task = await post(buyer, aTask({ awardPolicy: AwardPolicy.MANUAL, biddingWindow }));
      await bid(agent, task);
      return task;
    });

    const expired = await until(buyer, task, TaskState.EXPIRED);

    expect(expired.endReason).toBe(EndReason.NOT_AWARDED);
  });

  test("ends a task whose requester cannot pay the best bid", async () => {
    const pauper = await market.buyer("pauper", eur(1));
    const agent = await market.agent("agent");
    const task = await untilInTime(async (biddingWindow) => {
      const task = await post(pauper, aTask({ awardPolicy: AwardPolicy.ON_CLOSE, biddingWindow }));
      await bid(agent, task, { price: eur(2) });
      return task;
    });

    const expired = await until(pauper, task, TaskState.EXPIRED);

    expect(expired.endReason).toBe(EndReason.NO_FUNDS);
    expect(await accountOf(market, pauper.id, "EUR")).toMatchObject({
      postedMicros: 1_000_000n,
      heldMicros: 0n,
    });
  });
});

describe("an award", () => {
  test("goes at once to the first qualified bid where the task says so", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const task = await post(buyer, aTask({ awardPolicy: AwardPolicy.FIRST_QUALIFIED }));

    const made = await bid(agent, task);

    const awarded = await until(buyer, task, TaskState.AWARDED);
    expect(awarded.award).toMatchObject({ agentId: agent.id, bidId: made.bidId });
  });

  test("is not made without funds, and is made once they are there", async () => {
    const pauper = await market.buyer("pauper", eur(1));
    const agent = await market.agent("agent");
    const task = await post(pauper);
    await bid(agent, task, { price: eur(2) });

    const refused = await refusal(pauper.auction.awardTask({ taskId: task.taskId }));

    expect(refused).toMatchObject({ code: "FailedPrecondition", reason: "INSUFFICIENT_FUNDS" });
    expect((await look(pauper, task)).state).toBe(TaskState.OPEN);
    await market.operator.ledger.deposit({
      depositId: "more",
      owner: pauper.id,
      amount: eur(5),
    });
    const awarded = await award(pauper, task);
    expect(awarded).toMatchObject({ state: TaskState.AWARDED, award: { agentId: agent.id } });
    expect(await accountOf(market, pauper.id, "EUR")).toMatchObject({ heldMicros: 2_000_000n });
  });

  test("goes to a bid that the market made for an agent that asked for it", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("automaton", {
      capabilities: ["bidding_by_itself"],
      autoBid: true,
      costModel: { base: eur(1), perMinute: eur(0.01) },
    });
    const wish = { capability: "bidding_by_itself", awardPolicy: AwardPolicy.FIRST_QUALIFIED };

    await expect
      .poll(async () => {
        const task = await post(buyer, aTask(wish));
        const { bids } = await buyer.auction.listBids({ taskId: task.taskId });
        return bids.map(({ agentId, automatic }) => ({ agentId, automatic }));
      })
      .toEqual([{ agentId: agent.id, automatic: true }]);
  });
});

describe("an agent that declines", () => {
  test("stands in the explanation with its reason, until it bids after all", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const task = await post(buyer);
    const { taskId } = task;

    await agent.auction.declineToBid({ taskId, agentId: agent.id, reason: "on holiday" });

    const declined = await buyer.auction.explainAward({ taskId });
    expect(declined.declines).toMatchObject([{ agentId: agent.id, reason: "on holiday" }]);
    await bid(agent, task);
    const { declines, ranking } = await buyer.auction.explainAward({ taskId });
    expect(declines).toEqual([]);
    expect(ranking).toHaveLength(1);
  });
});

describe("a delivery that nobody judges", () => {
  test("is accepted by silence when the review window ends, and paid", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const task = await post(buyer, aTask({ reviewWindow: seconds(0.3) }));
    await bid(agent, task, { price: eur(2) });
    await deliver(agent, await award(buyer, task));

    const ended = await until(buyer, task, TaskState.SUCCEEDED);

    expect(ended.endReason).toBe(EndReason.ACCEPTED_BY_SILENCE);
    await allTold(market);
    expect(await accountOf(market, agent.id, "EUR")).toMatchObject({ postedMicros: 2_000_000n });
  });
});

describe("a winner that misses its deadline", () => {
  test("loses the task to the runner-up, and its late delivery bears a stale epoch", async () => {
    const buyer = await market.buyer("buyer", eur(10));
    const [late, next] = [await market.agent("late"), await market.agent("next")];
    // So long has the runner-up, too: it must not be late only because the machine is.
    const task = await post(buyer, aTask({ maxLatency: seconds(8) }));
    await bid(late, task, { price: eur(1), latency: seconds(2) });
    await bid(next, task, { price: eur(2), latency: seconds(2) });
    const first = await award(buyer, task);
    expect(first.award).toMatchObject({ epoch: 1n, agentId: late.id });

    await expect
      .poll(() => look(buyer, task), { interval: 50 })
      .toMatchObject({
        state: TaskState.AWARDED,
        award: { epoch: 2n, agentId: next.id },
      });
    const stale = await refusal(deliver(late, first));
    await deliver(next, await look(next, task));
    await buyer.auction.acceptResult({ taskId: task.taskId });

    expect(stale).toMatchObject({
      code: "Aborted",
      reason: "STALE_AWARD_EPOCH",
      metadata: { award_epoch: "2" },
    });
    await allTold(market);
    expect(await accountOf(market, late.id, "EUR")).toMatchObject({ postedMicros: 0n });
    expect(await accountOf(market, next.id, "EUR")).toMatchObject({ postedMicros: 2_000_000n });
    expect(await accountOf(market, buyer.id, "EUR")).toMatchObject({
      postedMicros: 8_000_000n,
      heldMicros: 0n,
    });
    expect(await creditsOf(market, late.id)).toBe(-500_000n);
    const { agents } = await market.operator.registry.batchGetAgents({
      agentIds: [late.id, next.id],
    });
    expect(agents.map(({ reputation }) => reputation?.failedTasks)).toEqual([1n, 0n]);
    expect(agents.map(({ reputation }) => reputation?.completedTasks)).toEqual([0n, 1n]);
  });

  test("leaves the task FAILED when there is nobody else", async () => {
    const buyer = await market.buyer("buyer", eur(10));
    const agent = await market.agent("agent");
    const task = await post(buyer, aTask({ maxLatency: seconds(1) }));
    await bid(agent, task, { latency: seconds(0.5) });
    await award(buyer, task);

    const failed = await until(buyer, task, TaskState.FAILED);

    expect(failed.endReason).toBe(EndReason.NOT_DELIVERED);
    await allTold(market);
    expect(await accountOf(market, buyer.id, "EUR")).toMatchObject({
      postedMicros: 10_000_000n,
      heldMicros: 0n,
    });
  });
});

describe("the books after all of this", () => {
  test("can be proved, and so can the record", async () => {
    await allTold(market);

    await proveBooks(market);
  });
});
