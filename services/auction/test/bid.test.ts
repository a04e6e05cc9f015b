import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BidContext, type Bidder, type BidTerms, bidRejection, checkBid } from "../src/bid.ts";
import { BID_REASONS } from "../src/reason.ts";
import { CODES } from "../src/rejections.ts";
import type { Task } from "../src/task.ts";
import { aBidder, anOpenTask, aTaskThatIs, TASK_ID, terms } from "./support/builders.ts";
import { HOUR, MINUTE, NOON, noonPlus } from "./support/clock.ts";

interface Case {
  readonly task?: Task;
  readonly bidder?: Partial<Bidder> | undefined;
  readonly terms?: Partial<BidTerms>;
  readonly context?: Partial<BidContext>;
}

function check(each: Case) {
  const agentId = each.context?.agentId ?? "quick";
  const bidder = "bidder" in each && each.bidder === undefined ? undefined : each.bidder;
  const isUnknown = "bidder" in each && each.bidder === undefined;
  return checkBid(
    each.task ?? anOpenTask(),
    isUnknown ? undefined : aBidder({ agentId, ...bidder }),
    terms(each.terms),
    { agentId, now: NOON, hasBid: false, inHand: 0, ...each.context },
  );
}

const euro = (micros: bigint) => ({ micros, currency: "EUR" });
const posted = anOpenTask({
  scoringPolicy: "POSTED_PRICE",
  needs: { complexity: "low", maxCost: { micros: 10n ** 12n, currency: "SAT" } },
});

const CASES: readonly (readonly [string, string, string, Case])[] = [
  [
    "TASK_NOT_OPEN",
    "task_id",
    "Task is not open. Status: AWARDED",
    { task: aTaskThatIs("AWARDED") },
  ],
  [
    "BIDDING_CLOSED",
    "task_id",
    "Bidding closed at 2026-11-20T13:00:00.000Z",
    { context: { now: noonPlus(HOUR) } },
  ],
  ["AGENT_NOT_REGISTERED", "agent_id", "Agent quick is not registered", { bidder: undefined }],
  ["AGENT_NOT_AVAILABLE", "agent_id", "Agent quick is OFFLINE", { bidder: { state: "OFFLINE" } }],
  [
    "AGENT_NOT_AVAILABLE",
    "agent_id",
    "Agent quick is MAINTENANCE",
    { bidder: { state: "MAINTENANCE" } },
  ],
  [
    "SELF_BID",
    "agent_id",
    "Agent buyer has asked for this task itself",
    { context: { agentId: "buyer" } },
  ],
  [
    "EVALUATOR_BID",
    "agent_id",
    "Agent quick judges this task",
    { task: anOpenTask({ evaluator: "quick" }) },
  ],
  [
    "CAPABILITY_MISSING",
    "agent_id",
    "Agent quick lacks required capability: driver_injection, signing",
    {
      task: anOpenTask({
        needs: { capabilities: ["iso_construction", "driver_injection", "signing"] },
      }),
    },
  ],
  [
    "PRICE_NOT_POSITIVE",
    "terms.price",
    "Bid cost (0.00) must be more than 0",
    { terms: { price: euro(0n) } },
  ],
  [
    "PRICE_NOT_POSITIVE",
    "terms.price",
    "Bid cost (-1000.00) must be more than 0",
    { terms: { price: euro(-1_000_000_000n) } },
  ],
  [
    "CURRENCY_MISMATCH",
    "terms.price.currency_code",
    "Bid currency (USD) is not that of the task (EUR)",
    { terms: { price: { micros: 99_000_000n, currency: "USD" } } },
  ],
  [
    "COST_EXCEEDS_MAX",
    "terms.price",
    "Bid cost (3.50) exceeds max allowed (2.50)",
    { terms: { price: euro(3_500_000n) } },
  ],
  [
    "COST_EXCEEDS_MAX",
    "terms.price",
    "Bid cost (2.500001) exceeds max allowed (2.50)",
    { terms: { price: euro(2_500_001n) } },
  ],
  [
    "PRICE_NOT_POSTED",
    "terms.price",
    "Bid cost (399999.00) is not the posted price (400000.00)",
    { task: posted, terms: { price: { micros: 399_999_000_000n, currency: "SAT" } } },
  ],
  [
    "LATENCY_NOT_POSITIVE",
    "terms.latency",
    "Estimated latency (0s) must be at least 1ms",
    { terms: { latencyMs: 0n } },
  ],
  [
    "LATENCY_NOT_POSITIVE",
    "terms.latency",
    "Estimated latency (-20m) must be at least 1ms",
    { terms: { latencyMs: BigInt(-20 * MINUTE) } },
  ],
  [
    "LATENCY_EXCEEDS_MAX",
    "terms.latency",
    "Estimated latency (40m) exceeds max allowed (30m)",
    { terms: { latencyMs: BigInt(40 * MINUTE) } },
  ],
  [
    "SUCCESS_RATE_BELOW_MIN",
    "terms.success_rate",
    "Estimated success rate (0.92) is below min required (0.95)",
    { terms: { successPpm: 920_000n } },
  ],
  ["ALREADY_BID", "agent_id", "Agent quick has a bid on this task", { context: { hasBid: true } }],
  [
    "CAPACITY_EXHAUSTED",
    "agent_id",
    "Agent quick has 3 tasks in hand and takes 3 at once",
    { context: { inHand: 3 } },
  ],
];

describe("a bid", () => {
  test.each(CASES)("that breaks %s names %s: %s", (reason, field, description, each) => {
    expect(check(each)).toEqual([{ reason, field, description }]);
  });

  test("has a case for every rule", () => {
    expect(new Set(CASES.map(([reason]) => reason))).toEqual(new Set(BID_REASONS));
  });

  test.each<readonly [string, Case]>([
    ["as good as it must be", {}],
    ["at the max cost", { terms: { price: euro(2_500_000n) } }],
    ["of one micro", { terms: { price: euro(1n) } }],
    ["at the max latency", { terms: { latencyMs: BigInt(30 * MINUTE) } }],
    ["of one millisecond", { terms: { latencyMs: 1n } }],
    ["at the least success rate", { terms: { successPpm: 950_000n } }],
    [
      "of a BUSY agent with room for one more",
      { bidder: { state: "BUSY" }, context: { inHand: 2 } },
    ],
    ["a moment before bidding closes", { context: { now: noonPlus(HOUR - 1) } }],
    [
      "at the posted price",
      { task: posted, terms: { price: { micros: 400_000_000_000n, currency: "SAT" } } },
    ],
  ])("%s breaks no rule", (_what, each) => {
    expect(check(each)).toEqual([]);
  });

  test("is told all that it breaks at once, in the documented order", () => {
    const faults = check({
      task: anOpenTask({ needs: { capabilities: ["signing"] } }),
      bidder: { state: "OFFLINE" },
      terms: {
        price: euro(3_500_000n),
        latencyMs: BigInt(40 * MINUTE),
        successPpm: 920_000n,
      },
      context: { agentId: "buyer", now: noonPlus(HOUR), hasBid: true, inHand: 7 },
    });

    expect(faults.map((fault) => fault.reason)).toEqual([
      "BIDDING_CLOSED",
      "AGENT_NOT_AVAILABLE",
      "SELF_BID",
      "CAPABILITY_MISSING",
      "COST_EXCEEDS_MAX",
      "LATENCY_EXCEEDS_MAX",
      "SUCCESS_RATE_BELOW_MIN",
      "ALREADY_BID",
      "CAPACITY_EXHAUSTED",
    ]);
  });

  test("of an unknown agent is not blamed for what nobody knows of the agent", () => {
    const faults = check({
      task: anOpenTask({ needs: { capabilities: ["signing"] } }),
      bidder: undefined,
      context: { inHand: 7 },
    });

    expect(faults.map((fault) => fault.reason)).toEqual(["AGENT_NOT_REGISTERED"]);
  });

  test("in another currency is not compared with the max cost", () => {
    const faults = check({ terms: { price: { micros: -1n, currency: "USD" } } });

    expect(faults.map((fault) => fault.reason)).toEqual([
      "PRICE_NOT_POSITIVE",
      "CURRENCY_MISMATCH",
    ]);
  });

  test("names its faults in order of precedence, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.record({
          micros: fc.bigInt(-3_000_000n, 5_000_000n),
          currency: fc.constantFrom("EUR", "USD"),
          latencyMs: fc.bigInt(-10n, BigInt(60 * MINUTE)),
          successPpm: fc.bigInt(0n, 1_000_000n),
          agentId: fc.constantFrom("quick", "buyer", "judge"),
          known: fc.boolean(),
          state: fc.constantFrom("ONLINE", "BUSY", "OFFLINE", "MAINTENANCE"),
          hasBid: fc.boolean(),
          inHand: fc.nat(5),
          lateMs: fc.integer({ min: -10, max: 10 }),
          skills: fc.subarray(["iso_construction", "signing"]),
        }),
        (each) => {
          const { micros, currency, latencyMs, successPpm, agentId, hasBid, inHand } = each;
          const capabilities = new Set<string>(each.skills);
          const faults = check({
            task: anOpenTask({ evaluator: "judge" }),
            bidder: each.known ? { state: each.state, capabilities } : undefined,
            terms: { price: { micros, currency }, latencyMs, successPpm },
            context: { agentId, hasBid, inHand, now: noonPlus(HOUR + each.lateMs) },
          });

          const places = faults.map((fault) => BID_REASONS.indexOf(fault.reason));
          expect(places).toEqual(places.toSorted((a, b) => a - b));
          expect(new Set(places).size).toBe(places.length);
        },
      ),
    );
  });
});

describe("the refusal of a bid", () => {
  test("has the reason of the first fault, its code, and all faults", () => {
    const faults = check({ terms: { price: euro(3_500_000n), latencyMs: BigInt(40 * MINUTE) } });
    const refusal = { agentId: "quick", terms: terms(), faults, submitTime: NOON };

    const rejection = bidRejection(TASK_ID, refusal);

    expect(rejection).toMatchObject({
      reason: "COST_EXCEEDS_MAX",
      message:
        "Bid cost (3.50) exceeds max allowed (2.50); Estimated latency (40m) exceeds max allowed (30m)",
      faults,
      metadata: { task_id: TASK_ID, agent_id: "quick" },
    });
    expect(CODES).toHaveProperty(rejection.reason);
  });
});
