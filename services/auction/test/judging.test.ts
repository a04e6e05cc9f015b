import { EndReason } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { HOUR, MINUTE } from "./support/clock.ts";
import { worldForEachTest } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import {
  allTold,
  type Caller,
  eur,
  type Instance,
  postWithBids,
  stateOf,
  until,
  type World,
} from "./support/world.ts";

let world: World;
let instance: Instance;

worldForEachTest((opened) => {
  ({ world, instance } = opened);
});

const RESULT = { reference: "https://work.example/1", sha256: "ab".repeat(32) };

/** A task that `quick` works on; `slow` has bid too. */
async function anAward(wish: Parameters<typeof postWithBids>[3] = {}) {
  const bids = { quick: {}, slow: { latency: durationFromMs(29 * MINUTE) } };
  const posted = await postWithBids(world, instance, bids, wish);
  await posted.buyer.awardTask({ taskId: posted.taskId });
  const quick = posted.agents["quick"] as Caller;
  const slow = posted.agents["slow"] as Caller;
  const deliver = (result = RESULT) =>
    quick.submitResult({ taskId: posted.taskId, agentId: "quick", awardEpoch: 1n, result });
  return { ...posted, quick, slow, deliver };
}

describe("work that is accepted", () => {
  test("is paid once, earns credits and reputation, and stands in the lineage", async () => {
    const { buyer, taskId, deliver } = await anAward();
    world.clock.advance(23 * MINUTE);
    await deliver();
    world.clock.advance(MINUTE);

    const first = await buyer.acceptResult({ taskId, evaluation: "good" });
    const second = await buyer.acceptResult({ taskId, evaluation: "good" });
    await allTold(world);

    expect(stateOf(first.task)).toBe("SUCCEEDED");
    expect(second).toEqual(first);
    expect(first.task).toMatchObject({
      endReason: EndReason.ACCEPTED,
      evaluation: "good",
      outcome: {
        success: true,
        estimatedLatency: { seconds: 1_500n },
        actualLatency: { seconds: 1_380n },
        price: eur(2_300_000n),
      },
    });
    expect(world.ledger.earned("quick")).toBe(2_300_000n);
    expect(world.ledger.held()).toBe(0n);
    expect([...world.ledger.credits.values()]).toEqual([{ agentId: "quick", micros: 2_741_600n }]);
    expect([...world.registry.outcomes.values()]).toMatchObject([
      { agentId: "quick", requesterId: "buyer", capability: "iso_construction" },
    ]);
    expect([...world.ledger.events.values()].map((event) => event.type)).toEqual([
      "auction_created",
      "bid_submitted",
      "bid_submitted",
      "task_awarded",
      "result_delivered",
      "task_completed",
    ]);
  });

  test("is told to the ledger before it is paid, with the time that it took", async () => {
    const { buyer, taskId, deliver } = await anAward();
    world.clock.advance(23 * MINUTE);
    await deliver();

    await buyer.acceptResult({ taskId });
    await allTold(world);

    const [hold] = world.ledger.holds.values();
    expect(hold?.delivered).toMatchObject({
      sha256: RESULT.sha256,
      latency: durationFromMs(23 * MINUTE),
    });
  });

  test("finds its money moved by a rule of the ledger, and ends all the same", async () => {
    const { buyer, taskId, deliver } = await anAward();
    const [transactionId = ""] = world.ledger.holds.keys();
    world.ledger.cancel(transactionId);
    await deliver();

    const { task } = await buyer.acceptResult({ taskId });
    await allTold(world);

    expect(stateOf(task)).toBe("SUCCEEDED");
    expect(world.ledger.earned("quick")).toBe(0n);
    expect(world.ledger.calls).toContain("deliver");
    expect(world.ledger.credits.size).toBe(1);
  });

  test("is shown to requester, evaluator and winner only", async () => {
    const { buyer, taskId, quick, slow, deliver } = await anAward({ evaluator: "judge" });
    await deliver();
    const judge = await instance.as("agent:judge");
    const auditor = await instance.as("auditor");
    const seen = async (caller: Caller) =>
      (await caller.getTask({ taskId })).task?.result?.reference;

    expect(await Promise.all([buyer, judge, quick, auditor].map(seen))).toEqual(
      Array(4).fill(RESULT.reference),
    );
    expect(await seen(slow)).toBeUndefined();
  });

  test("is judged by the evaluator, not by the requester, once one is named", async () => {
    const { buyer, taskId, quick, deliver } = await anAward({ evaluator: "judge" });
    await deliver();
    const judge = await instance.as("agent:judge");

    for (const caller of [buyer, quick]) {
      expect(await refusal(caller.acceptResult({ taskId }))).toMatchObject({
        code: "PermissionDenied",
        reason: "NOT_EVALUATOR",
      });
    }
    expect(stateOf((await judge.acceptResult({ taskId })).task)).toBe("SUCCEEDED");
  });
});

describe("judgements at once", () => {
  test("lead to exactly one end, and the money follows it", async () => {
    for (let round = 0; round < 5; round++) {
      const { buyer, taskId, deliver } = await anAward();
      await deliver();
      const earned = world.ledger.earned("quick");

      const ends = await Promise.allSettled([
        buyer.acceptResult({ taskId }),
        buyer.rejectResult({ taskId, evaluation: "bad" }),
      ]);
      await allTold(world);

      const won = ends.filter((end) => end.status === "fulfilled");
      expect(won).toHaveLength(1);
      const state = stateOf((await buyer.getTask({ taskId })).task);
      expect(world.ledger.earned("quick") - earned).toBe(state === "SUCCEEDED" ? 2_300_000n : 0n);
      expect(world.ledger.held()).toBe(0n);
    }
  });
});

describe("work that is rejected", () => {
  test("is paid back, and the winner loses credits", async () => {
    const { buyer, taskId, deliver } = await anAward();
    await deliver();

    const { task } = await buyer.rejectResult({ taskId, evaluation: "it does not boot" });
    await allTold(world);

    expect(task).toMatchObject({ endReason: EndReason.REJECTED, evaluation: "it does not boot" });
    expect(world.ledger.available("buyer")).toBe(100_000_000n);
    expect([...world.ledger.credits.values()]).toEqual([{ agentId: "quick", micros: -1_150_000n }]);
    expect([...world.registry.outcomes.values()]).toMatchObject([{ outcome: { success: false } }]);
  });
});

describe("silence", () => {
  test("of the evaluator accepts, also when nobody was up to hear it", async () => {
    const { taskId, deliver } = await anAward();
    await deliver();
    await instance[Symbol.asyncDispose]();
    world.clock.advance(HOUR);

    const buyer = await (await world.start()).as("agent:buyer");
    const task = await until(buyer, taskId, "SUCCEEDED");
    await allTold(world);

    expect(task.endReason).toBe(EndReason.ACCEPTED_BY_SILENCE);
    expect(world.ledger.earned("quick")).toBe(2_300_000n);
    expect(await refusal(buyer.rejectResult({ taskId, evaluation: "late" }))).toMatchObject({
      reason: "INVALID_TASK_STATE",
    });
  });

  test("of the winner passes the task on, down to the last bid", async () => {
    const { buyer, taskId, deliver, slow } = await anAward();

    world.clock.advance(30 * MINUTE);
    await expect.poll(async () => (await buyer.getTask({ taskId })).task?.award?.epoch).toBe(2n);
    const second = await until(buyer, taskId, "AWARDED");
    const stale = await refusal(deliver());
    await slow.submitResult({ taskId, agentId: "slow", awardEpoch: 2n, result: RESULT });
    await buyer.acceptResult({ taskId });
    await allTold(world);

    expect(second.award).toMatchObject({ agentId: "slow", epoch: 2n });
    expect(stale).toMatchObject({
      code: "Aborted",
      reason: "STALE_AWARD_EPOCH",
      metadata: { award_epoch: "2" },
    });
    expect(world.ledger.held()).toBe(0n);
    expect([world.ledger.earned("quick"), world.ledger.earned("slow")]).toEqual([0n, 2_300_000n]);
    expect([...world.registry.outcomes.entries()]).toMatchObject([
      [`${taskId}/1`, { agentId: "quick", outcome: { success: false } }],
      [`${taskId}/2`, { agentId: "slow", outcome: { success: true } }],
    ]);
    const why = await buyer.explainAward({ taskId });
    expect(why.awards.map((award) => award.agentId)).toEqual(["quick", "slow"]);
  });

  test("of every winner fails the task, and the requester has its money back", async () => {
    const { buyer, taskId } = await anAward();

    world.clock.advance(30 * MINUTE);
    await expect.poll(async () => (await buyer.getTask({ taskId })).task?.award?.epoch).toBe(2n);
    await until(buyer, taskId, "AWARDED");
    world.clock.advance(30 * MINUTE);
    const task = await until(buyer, taskId, "FAILED");
    await allTold(world);

    expect(task).toMatchObject({ endReason: EndReason.NOT_DELIVERED, outcome: { success: false } });
    expect(world.ledger.available("buyer")).toBe(100_000_000n);
    expect([...world.ledger.credits.values()]).toHaveLength(2);
  });

  test("makes room for the next hold where the money is just enough for one", async () => {
    const { buyer, taskId } = await anAward();
    const spare = world.ledger.available("buyer");
    world.ledger.fund("buyer", -spare);

    world.clock.advance(30 * MINUTE);
    await expect.poll(async () => (await buyer.getTask({ taskId })).task?.award?.epoch).toBe(2n);

    expect((await until(buyer, taskId, "AWARDED")).award?.agentId).toBe("slow");
    expect(world.ledger.held()).toBe(2_300_000n);
  });
});

describe("a delivery", () => {
  test("is taken once; the same again is answered, other work is refused", async () => {
    const { deliver, taskId, buyer } = await anAward();

    const first = await deliver();
    const second = await deliver();
    const other = await refusal(deliver({ ...RESULT, reference: "elsewhere" }));
    await buyer.acceptResult({ taskId });
    const third = await deliver();

    expect(stateOf(first.task)).toBe("DELIVERED");
    expect(second).toEqual(first);
    expect(other).toMatchObject({ reason: "INVALID_TASK_STATE", metadata: { state: "DELIVERED" } });
    expect(stateOf(third.task)).toBe("SUCCEEDED");
  });

  test.each([
    ["by one who only bid", { agentId: "slow" }, "PermissionDenied", "NOT_WINNER"],
    ["on an old award", { awardEpoch: 7n }, "Aborted", "STALE_AWARD_EPOCH"],
    ["without an award's number", { awardEpoch: 0n }, "InvalidArgument", "INVALID_REQUEST"],
    [
      "of work at a foreign cost",
      { result: { ...RESULT, actualCost: { micros: 1n, currencyCode: "USD" } } },
      "FailedPrecondition",
      "CURRENCY_MISMATCH",
    ],
  ])("%s is refused", async (_what, wish, code, reason) => {
    const { taskId } = await anAward();
    const operator = await instance.as("operator");
    const request = { taskId, agentId: "quick", awardEpoch: 1n, result: RESULT, ...wish };

    expect(await refusal(operator.submitResult(request))).toMatchObject({ code, reason });
    expect(stateOf((await operator.getTask({ taskId })).task)).toBe("AWARDED");
  });

  test("at the deadline is late, even before the market has come to say so", async () => {
    const { deliver, taskId } = await anAward();
    const operator = await instance.as("operator");

    world.clock.advance(30 * MINUTE);

    expect((await refusal(deliver())).reason).toBe("STALE_AWARD_EPOCH");
    await until(operator, taskId, "AWARDED");
  });
});

describe("the one-step report", () => {
  test("ends the task with what it tells; the same again is answered, another is refused", async () => {
    const { buyer, taskId } = await anAward();
    const report = {
      taskId,
      success: true,
      actualLatency: durationFromMs(23 * MINUTE),
      actualCost: eur(2_100_000n),
    };

    const first = await buyer.completeTask(report);
    const second = await buyer.completeTask(report);
    const other = await refusal(buyer.completeTask({ ...report, success: false }));
    await allTold(world);

    expect(stateOf(first.task)).toBe("SUCCEEDED");
    expect(second).toEqual(first);
    expect(other.reason).toBe("INVALID_TASK_STATE");
    expect([...world.ledger.credits.values()]).toEqual([{ agentId: "quick", micros: 2_721_600n }]);
    expect(world.ledger.earned("quick")).toBe(2_300_000n);
  });
});

describe("what happened", () => {
  test("is logged once each, without payloads, and counted", async () => {
    const { buyer, taskId } = await anAward({ payload: { secret: "do not log" } });
    await buyer.completeTask({ taskId, success: true });

    const events = instance.log().filter((line) => line.task_id === taskId);
    const text = JSON.stringify(instance.log());
    const metrics = await instance.metrics.registry.metrics();

    expect(events.map((line) => line.event)).toEqual([
      "auction_created",
      "bid_submitted",
      "bid_submitted",
      "task_awarded",
      "task_completed",
    ]);
    expect(text).not.toContain("do not log");
    expect(metrics).toMatch(/marketplace_auctions_total{state="SUCCEEDED"[^}]*} 1/);
    expect(metrics).toMatch(/marketplace_bids_total{result="accepted"[^}]*} 2/);
    expect(metrics).toMatch(/marketplace_outbox_messages{state="parked"[^}]*} 0/);
  });
});
