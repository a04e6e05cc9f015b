import { rank } from "@bourse/scoring";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AWARDING_LEASE_MS,
  beginAward,
  confirmAward,
  marginMicros,
  priceOf,
  rankBids,
  refuseAward,
} from "../src/award.ts";
import { lapse } from "../src/completion.ts";
import {
  aBid,
  anAwardedTask,
  anAwardingTask,
  anOpenTask,
  aSpec,
  BIDS,
  TASK_ID,
} from "./support/builders.ts";
import { HOUR, MINUTE, NOON, noonPlus } from "./support/clock.ts";

const kinds = (step: { followUps: readonly { kind: string; event?: { type: string } }[] }) =>
  step.followUps.map((each) => each.event?.type ?? each.kind);

describe("an award", () => {
  test("goes to the best bid, whose price is to be held under an id that follows from task and epoch", () => {
    const step = beginAward({ ...anOpenTask(), bidCount: 2 }, BIDS, "CLOSE", NOON);

    expect(step?.task).toMatchObject({
      state: "AWARDING",
      epoch: 1,
      dueTime: noonPlus(AWARDING_LEASE_MS),
      awards: [{ epoch: 1, agentId: "quick", bidId: "bid-quick", priceMicros: 2_300_000n }],
    });
    expect(step?.task.awards[0]?.transactionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(beginAward(anOpenTask(), BIDS, "HAND", noonPlus(5))?.task.awards[0]?.transactionId).toBe(
      step?.task.awards[0]?.transactionId,
    );
    expect(step?.followUps).toEqual([]);
  });

  test("is not begun without a bid", () => {
    expect(beginAward(anOpenTask(), [], "CLOSE", NOON)).toBeUndefined();
  });

  test("that is paid for is told to the winner, whose time runs from then on", () => {
    const step = confirmAward(anAwardingTask(), noonPlus(11 * MINUTE));

    expect(step.task).toMatchObject({
      state: "AWARDED",
      dueTime: noonPlus(41 * MINUTE),
      awards: [{ awardTime: noonPlus(11 * MINUTE), deadline: noonPlus(41 * MINUTE) }],
    });
    expect(step.followUps).toMatchObject([
      {
        kind: "event",
        event: {
          eventId: `task_awarded/${TASK_ID}/1`,
          subjects: { requester: "buyer", winner: "quick" },
          payload: { total_bids: 2, price_micros: 2_300_000n },
        },
      },
    ]);
  });

  test.each(["CLOSE", "FIRST"] as const)("by %s that nobody can pay ends the task", (cause) => {
    const step = refuseAward(anAwardingTask(cause), noonPlus(11 * MINUTE));

    expect(step.task).toMatchObject({
      state: "EXPIRED",
      endReason: "NO_FUNDS",
      awards: [],
      epoch: 1,
    });
    expect(kinds(step)).toEqual(["task_expired"]);
  });

  test("by hand that nobody can pay leaves the task open, and its epoch consumed", () => {
    const step = refuseAward(anAwardingTask("HAND"), noonPlus(11 * MINUTE));

    expect(step.task).toMatchObject({
      state: "OPEN",
      epoch: 1,
      awards: [],
      dueTime: noonPlus(HOUR),
    });
    expect(step.followUps).toEqual([]);
    const again = beginAward(step.task, BIDS, "HAND", noonPlus(12 * MINUTE));
    expect(again?.task.awards[0]?.epoch).toBe(2);
    expect(again?.task.awards[0]?.transactionId).not.toBe(
      anAwardingTask("HAND").awards[0]?.transactionId,
    );
  });
});

describe("an award whose winner is late", () => {
  const LATE = noonPlus(90 * MINUTE);

  test("passes to the next in the ranking; the late one loses credits and reputation", () => {
    const step = lapse(anAwardedTask(), BIDS, LATE);

    expect(step.task).toMatchObject({
      state: "AWARDING",
      epoch: 2,
      awards: [{ agentId: "quick" }, { agentId: "slow", epoch: 2 }],
    });
    expect(kinds(step)).toEqual(["cancel", "credits", "outcome", "award_lapsed"]);
    expect(step.followUps).toMatchObject([
      { transactionId: anAwardedTask().awards[0]?.transactionId },
      { creditId: `credits:${TASK_ID}:1`, agentId: "quick", creditMicros: -1_150_000n },
      {
        outcomeId: `${TASK_ID}/1`,
        agentId: "quick",
        requester: "buyer",
        outcome: { success: false, actualLatencyMs: BigInt(30 * MINUTE) },
      },
      {},
    ]);
  });

  test("is a failure of the task when no other bid stands", () => {
    const second = confirmAward(lapse(anAwardedTask(), BIDS, LATE).task, LATE).task;

    const step = lapse(second, BIDS, noonPlus(3 * HOUR));

    expect(step.task).toMatchObject({ state: "FAILED", endReason: "NOT_DELIVERED" });
    expect(step.task.awards.map((award) => award.agentId)).toEqual(["quick", "slow"]);
    expect(kinds(step)).toEqual(["cancel", "credits", "outcome", "award_lapsed", "task_completed"]);
  });

  test("ends the task when the next cannot be paid", () => {
    const awarding = lapse(anAwardedTask(), BIDS, LATE).task;

    const step = refuseAward(awarding, LATE);

    expect(step.task).toMatchObject({ state: "EXPIRED", endReason: "NO_FUNDS" });
    expect(step.task.awards.map((award) => award.agentId)).toEqual(["quick"]);
  });
});

describe("the price", () => {
  test.each([
    ["PAY_AS_BID", 2_300_000n],
    ["SECOND_SCORE", 2_500_000n],
  ] as const)("of %s is %d micros for two bids far apart", (paymentRule, micros) => {
    const spec = aSpec({ paymentRule });

    expect(priceOf(spec, rankBids(spec, BIDS))).toBe(micros);
  });

  test("of SECOND_SCORE is what the runner-up lets the winner ask", () => {
    const spec = aSpec({ paymentRule: "SECOND_SCORE", scoringPolicy: "LOWEST_PRICE" });
    const bids = [
      aBid("cheap", { terms: { price: { micros: 1_000_000n, currency: "EUR" } } }),
      aBid("dear", { sequence: 2, terms: { price: { micros: 1_800_000n, currency: "EUR" } } }),
    ];

    expect(priceOf(spec, rankBids(spec, bids))).toBe(1_800_000n);
    expect(marginMicros(rankBids(spec, bids))).toBe(800_000n);
  });
});

describe("the ranking", () => {
  const bids = fc
    .uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 12 })
    .chain((agents) =>
      fc.tuple(
        ...agents.map((agent, index) =>
          fc
            .record({
              micros: fc.bigInt(1n, 2_500_000n),
              latencyMs: fc.bigInt(1n, BigInt(30 * MINUTE)),
              successPpm: fc.bigInt(950_000n, 1_000_000n),
              calibrationPpm: fc.bigInt(0n, 1_000_000n),
            })
            .map(({ micros, latencyMs, successPpm, calibrationPpm }) =>
              aBid(`a${agent}`, {
                sequence: index + 1,
                calibrationPpm,
                terms: { price: { micros, currency: "EUR" }, latencyMs, successPpm },
              }),
            ),
        ),
      ),
    );
  const policies = fc.constantFrom("CIVIC_V1", "CIVIC_V1_CODE", "LOWEST_PRICE", "VALUE");

  test("is that of the scoring library, whatever the order in which bids are read", () => {
    fc.assert(
      fc.property(bids, policies, (some, scoringPolicy) => {
        const spec = aSpec({ scoringPolicy, valueMicros: 5_000_000n });

        const ranked = rankBids(spec, some).map((each) => each.bidId);

        const pure = rank(
          scoringPolicy,
          { maxCostMicros: 2_500_000n, maxLatencyMs: BigInt(30 * MINUTE), valueMicros: 5_000_000n },
          some.map((bid) => ({
            bidId: bid.bidId,
            sequence: BigInt(bid.sequence),
            priceMicros: bid.terms.price.micros,
            latencyMs: bid.terms.latencyMs,
            successPpm: bid.terms.successPpm,
            calibrationPpm: bid.calibrationPpm,
            multiplierPpm: bid.multiplierPpm,
          })),
        );
        expect(ranked).toEqual(pure.map((each) => each.bidId));
        expect(rankBids(spec, some.toReversed()).map((each) => each.bidId)).toEqual(ranked);
      }),
    );
  });

  test("gives the award down to its last bid, each agent once", () => {
    fc.assert(
      fc.property(bids, (some) => {
        const order = rankBids(aSpec(), some).map((each) => each.bid.agentId);
        let task = beginAward(anOpenTask(), some, "CLOSE", NOON)?.task ?? anOpenTask();
        for (const _ of some) task = lapse(confirmAward(task, NOON).task, some, NOON).task;

        expect(task).toMatchObject({ state: "FAILED", endReason: "NOT_DELIVERED" });
        expect(task.awards.map((award) => award.agentId)).toEqual(order);
      }),
    );
  });
});
