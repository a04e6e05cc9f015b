import { describe, expect, test } from "vitest";
import { confirmAward } from "../src/award.ts";
import { accept, acceptBySilence, lapse, reject, report } from "../src/completion.ts";
import { deliver } from "../src/delivery.ts";
import { advance, isDue } from "../src/timetable.ts";
import {
  aDeliveredTask,
  aDelivery,
  anAwardedTask,
  anAwardingTask,
  anOpenTask,
  BIDS,
  reasonOf,
  TASK_ID,
} from "./support/builders.ts";
import { HOUR, MINUTE, noonPlus } from "./support/clock.ts";

const LATER = noonPlus(40 * MINUTE);
const euro = (micros: bigint) => ({ micros, currency: "EUR" });

describe("accepted work", () => {
  test("pays the winner its price, credits for its accuracy, and a success", () => {
    const step = accept(aDeliveredTask(), "good", LATER);

    expect(step.task).toMatchObject({
      state: "SUCCEEDED",
      endReason: "ACCEPTED",
      evaluation: "good",
      endTime: LATER,
      outcome: { success: true, actualLatencyMs: BigInt(23 * MINUTE), priceMicros: 2_300_000n },
    });
    expect(step.followUps).toMatchObject([
      { kind: "settle", transactionId: anAwardedTask().awards[0]?.transactionId },
      { kind: "credits", creditId: `credits:${TASK_ID}:1`, creditMicros: 2_741_600n },
      { kind: "outcome", outcomeId: `${TASK_ID}/1`, capability: "iso_construction" },
      { kind: "event", event: { eventId: `task_completed/${TASK_ID}` } },
    ]);
  });

  test("pays what was bid although another cost is reported, which counts for credits only", () => {
    const said = { success: true, evaluation: "", actualCost: euro(2_100_000n) };
    const step = report(aDeliveredTask(), said, LATER);

    expect(step.followUps[0]).toMatchObject({ kind: "settle" });
    expect(step.followUps[1]).toMatchObject({ creditMicros: 2_721_600n });
    expect(step.task.outcome).toMatchObject({ actualCostMicros: 2_100_000n });
  });

  test("by silence is paid all the same", () => {
    const step = acceptBySilence(aDeliveredTask(), LATER);

    expect(step.task).toMatchObject({ state: "SUCCEEDED", endReason: "ACCEPTED_BY_SILENCE" });
    expect(step.followUps[0]).toMatchObject({ kind: "settle" });
  });
});

describe("rejected work", () => {
  test("gives the requester its money back, and costs the winner half a bid in credits", () => {
    const step = reject(aDeliveredTask(), "bad", LATER);

    expect(step.task).toMatchObject({ state: "FAILED", endReason: "REJECTED" });
    expect(step.followUps).toMatchObject([
      { kind: "cancel" },
      { kind: "credits", creditMicros: -1_150_000n },
      { kind: "outcome", outcome: { success: false } },
      { kind: "event" },
    ]);
  });

  test("of the least price costs no credits, since half a micro rounds to none", () => {
    const awarding = anAwardingTask();
    const [award] = awarding.awards;
    if (award === undefined) throw new Error("no award");
    const cheap = { ...awarding, awards: [{ ...award, bidMicros: 1n, priceMicros: 1n }] };
    const step = report(confirmAward(cheap, LATER).task, { success: false, evaluation: "" }, LATER);

    expect(step.followUps.map((each) => each.kind)).toEqual(["cancel", "outcome", "event"]);
  });
});

describe("a report", () => {
  test.each([
    ["the time that it tells", { actualLatencyMs: 7n }, 7n],
    ["the time since the award, without a delivery", {}, BigInt(29 * MINUTE)],
  ])("measures by %s", (_by, said, expected) => {
    const { task } = report(anAwardedTask(), { success: true, evaluation: "", ...said }, LATER);

    expect(task.outcome?.actualLatencyMs).toBe(expected);
  });

  test("of less than a millisecond is the same report when it comes again", () => {
    const said = { success: true, evaluation: "", actualLatencyMs: 0n };
    const { task } = report(anAwardedTask(), said, LATER);

    expect(report(task, said, LATER)).toEqual({ task, followUps: [] });
  });

  test("in the instant of the award counts a millisecond", () => {
    const { task } = report(
      anAwardedTask(),
      { success: true, evaluation: "" },
      noonPlus(11 * MINUTE),
    );

    expect(task.outcome?.actualLatencyMs).toBe(1n);
  });

  test.each([
    ["the same again", { success: true, evaluation: "ok", actualLatencyMs: 7n }, "ok"],
    ["the same with less said", { success: true, evaluation: "ok" }, "ok"],
    [
      "another time",
      { success: true, evaluation: "ok", actualLatencyMs: 8n },
      "INVALID_TASK_STATE",
    ],
    [
      "another end",
      { success: false, evaluation: "ok", actualLatencyMs: 7n },
      "INVALID_TASK_STATE",
    ],
    ["other words", { success: true, evaluation: "no" }, "INVALID_TASK_STATE"],
    [
      "another cost",
      { success: true, evaluation: "ok", actualCost: euro(1n) },
      "INVALID_TASK_STATE",
    ],
  ])("that is followed by %s: %s", (_what, second, expected) => {
    const first = { success: true, evaluation: "ok", actualLatencyMs: 7n };
    const { task } = report(anAwardedTask(), first, LATER);

    expect(reasonOf(() => report(task, second, LATER))).toBe(expected);
  });

  test("in a foreign currency is refused", () => {
    const said = { success: true, evaluation: "", actualCost: { micros: 1n, currency: "USD" } };

    expect(reasonOf(() => report(anAwardedTask(), said, LATER))).toBe("CURRENCY_MISMATCH");
  });
});

describe("a delivery", () => {
  test("opens the review", () => {
    const { task } = deliver(anAwardedTask(), aDelivery(), LATER);

    expect(task).toMatchObject({ state: "DELIVERED", dueTime: noonPlus(40 * MINUTE + HOUR) });
  });

  test.each([
    ["by one who never won", { agentId: "other" }, "NOT_WINNER"],
    ["by one who bid only", { agentId: "slow" }, "NOT_WINNER"],
    ["on an award that never was", { epoch: 2n }, "STALE_AWARD_EPOCH"],
  ])("%s is refused with %s", (_by, wish, reason) => {
    expect(reasonOf(() => deliver(anAwardedTask(), aDelivery(wish), LATER))).toBe(reason);
  });

  test("on an award that went to another is refused with the one that holds", () => {
    const second = confirmAward(lapse(anAwardedTask(), BIDS, noonPlus(HOUR)).task, noonPlus(HOUR));

    expect(() => deliver(second.task, aDelivery(), noonPlus(HOUR))).toThrow(
      expect.objectContaining({
        reason: "STALE_AWARD_EPOCH",
        metadata: { task_id: TASK_ID, award_epoch: "2" },
      }),
    );
  });

  test("of other work after the first is refused", () => {
    const other = { ...aDelivery(), result: { reference: "elsewhere", sha256: "" } };

    expect(reasonOf(() => deliver(aDeliveredTask(), other, LATER))).toBe("INVALID_TASK_STATE");
  });

  test("whose cost is in a foreign currency is refused", () => {
    const actualCost = { micros: 1n, currency: "USD" };
    const foreign = { ...aDelivery(), result: { ...aDelivery().result, actualCost } };

    expect(reasonOf(() => deliver(anAwardedTask(), foreign, LATER))).toBe("CURRENCY_MISMATCH");
  });
});

describe("time", () => {
  test.each([
    ["closes bidding on the best bid", anOpenTask(), HOUR, "AWARDING", undefined],
    [
      "ends a MANUAL task with bids",
      { ...anOpenTask({ awardPolicy: "MANUAL" }), bidCount: 2 },
      HOUR,
      "EXPIRED",
      "NOT_AWARDED",
    ],
    [
      "ends a MANUAL task without bids",
      anOpenTask({ awardPolicy: "MANUAL" }),
      HOUR,
      "EXPIRED",
      "NO_BIDS",
    ],
    ["takes the task from a late winner", anAwardedTask(), 41 * MINUTE, "AWARDING", undefined],
    ["accepts by silence", aDeliveredTask(), 94 * MINUTE, "SUCCEEDED", "ACCEPTED_BY_SILENCE"],
  ])("%s", (_what, task, dueMs, state, endReason) => {
    expect(isDue(task, noonPlus(dueMs - 1))).toBe(false);
    expect(advance(task, BIDS, noonPlus(dueMs - 1)).task).toBe(task);
    expect(isDue(task, noonPlus(dueMs))).toBe(true);
    const { task: moved } = advance(task, BIDS, noonPlus(dueMs));
    expect([moved.state, moved.endReason]).toEqual([state, endReason]);
  });

  test("ends a task on which nobody bid", () => {
    expect(advance(anOpenTask(), [], noonPlus(HOUR)).task).toMatchObject({
      state: "EXPIRED",
      endReason: "NO_BIDS",
    });
  });

  test("alone does not move a task whose price is being held", () => {
    const task = anAwardingTask();

    expect(advance(task, BIDS, noonPlus(1_000 * HOUR)).task).toBe(task);
  });

  test("applied twice changes nothing the second time", () => {
    for (const task of [anOpenTask(), anAwardedTask(), aDeliveredTask()]) {
      const at = noonPlus(2 * HOUR);
      const once = advance(task, BIDS, at);

      expect(advance(once.task, BIDS, at)).toEqual({ task: once.task, followUps: [] });
    }
  });
});
