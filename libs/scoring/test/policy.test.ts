import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatMicros, POLICY_NAMES, type PolicyName, score } from "../src/index.ts";
import { aBid, anyAuction, someTerms } from "./support.ts";

const anyPolicy = fc.constantFrom(...POLICY_NAMES);

describe("a score", () => {
  const bidA = { price: 2.3, max: 2.5, minutes: 25, maxMinutes: 30, p: 0.98, calibration: 0.92 };
  const bidB = { price: 1.8, max: 2.5, minutes: 40, maxMinutes: 30, p: 0.92, calibration: 0.85 };
  const bidC = { price: 0.75, max: 1, minutes: 7, maxMinutes: 10, p: 0.98, calibration: 1 };

  test.each([
    { policy: "CIVIC_V1", ...bidA, is: "0.5740", parts: [0.368, 0.25, 0.04, -0.084] },
    { policy: "CIVIC_V1_CODE", ...bidA, is: "0.5460", parts: [0.368, 0.25, 0.012, -0.084] },
    { policy: "CIVIC_V1", ...bidB, is: "0.7780", parts: [0.288, 0.4, 0.16, -0.07] },
    { policy: "CIVIC_V1_CODE", ...bidB, is: "0.6660", parts: [0.288, 0.4, 0.048, -0.07] },
    { policy: "CIVIC_V1_CODE", ...bidC, is: "0.4220", parts: [0.3, 0.21, 0.012, -0.1] },
  ] as const)("of $price for $max, $minutes min, $p, $calibration under $policy is $is", (row) => {
    const terms = {
      maxCostMicros: micros(row.max),
      maxLatencyMs: BigInt(row.maxMinutes) * 60_000n,
    };
    const bid = aBid({
      priceMicros: micros(row.price),
      latencyMs: BigInt(row.minutes) * 60_000n,
      successPpm: micros(row.p),
      calibrationPpm: micros(row.calibration),
    });

    const { scoreMicros, parts } = score(row.policy, terms, bid);

    expect(formatMicros(scoreMicros, 4)).toBe(row.is);
    expect(scoreMicros % 100n).toBe(0n);
    expect(parts).toEqual(
      ["cost", "latency", "success", "calibration"].map((name, index) => ({
        name,
        micros: micros(row.parts[index] ?? Number.NaN),
      })),
    );
  });

  test("under LOWEST_PRICE is the price", () => {
    expect(score("LOWEST_PRICE", someTerms(), aBid()).scoreMicros).toBe(2_300_000n);
  });

  test("under POSTED_PRICE is the reputation multiplier, negated", () => {
    const bid = aBid({ multiplierPpm: 1_800_000n });

    expect(score("POSTED_PRICE", someTerms(), bid).scoreMicros).toBe(-1_800_000n);
  });

  test("under VALUE is the price less the expected value", () => {
    const terms = someTerms({ valueMicros: 10_000_000n });

    expect(score("VALUE", terms, aBid())).toEqual({
      scoreMicros: -7_500_000n,
      parts: [
        { name: "cost", micros: 2_300_000n },
        { name: "success", micros: -9_800_000n },
      ],
    });
  });

  test("under VALUE takes the max cost for a value that was not declared", () => {
    const declared = someTerms({ valueMicros: someTerms().maxCostMicros });

    expect(score("VALUE", someTerms(), aBid())).toEqual(score("VALUE", declared, aBid()));
  });

  test("is rounded once: the thirds of three parts make a whole", () => {
    const terms = { maxCostMicros: 3n, maxLatencyMs: 3n };
    const bid = aBid({ priceMicros: 1n, latencyMs: 1n, successPpm: 1_000_000n });

    const { scoreMicros, parts } = score("CIVIC_V1", terms, bid);

    // 400000/3 + 300000/3 - 84000 = 149333.33: the third goes to no part, the sum holds.
    expect(scoreMicros).toBe(149_333n);
    expect(parts.map((part) => part.micros)).toEqual([133_333n, 100_000n, 0n, -84_000n]);
  });

  test.each([
    ["maxCostMicros", { maxCostMicros: 0n }, {}],
    ["maxLatencyMs", { maxLatencyMs: 0n }, {}],
    ["valueMicros", { valueMicros: -1n }, {}],
    ["priceMicros", {}, { priceMicros: -1_000_000_000n }],
    ["latencyMs", {}, { latencyMs: -1n }],
    ["successPpm", {}, { successPpm: 1_000_001n }],
    ["calibrationPpm", {}, { calibrationPpm: -1n }],
    ["multiplierPpm", {}, { multiplierPpm: -1n }],
  ])("is refused when %s is out of range", (name, terms, bid) => {
    for (const policy of POLICY_NAMES) {
      expect(() => score(policy, someTerms(terms), aBid(bid))).toThrow(name);
    }
  });

  test("is the exact sum of its parts, each within a unit of its own value", () => {
    fc.assert(
      fc.property(anyPolicy, anyAuction, (policy, { terms, bids }) => {
        for (const bid of bids) {
          const { scoreMicros, parts } = score(policy, terms, bid);
          expect(parts.reduce((sum, part) => sum + part.micros, 0n)).toBe(scoreMicros);
          const cost = parts.find((part) => part.name === "cost")?.micros;
          if (policy.startsWith("CIVIC") && cost !== undefined) {
            const error = cost * terms.maxCostMicros - 400_000n * bid.priceMicros;
            expect(error < terms.maxCostMicros && -error < terms.maxCostMicros).toBe(true);
          }
        }
      }),
    );
  });
});

describe("a bid that improves", () => {
  const better: Record<string, (bid: ReturnType<typeof aBid>, by: bigint) => object> = {
    cheaper: (bid, by) => ({ priceMicros: atLeast(0n, bid.priceMicros - by) }),
    faster: (bid, by) => ({ latencyMs: atLeast(0n, bid.latencyMs - by) }),
    surer: (bid, by) => ({ successPpm: atMost(1_000_000n, bid.successPpm + by) }),
    "better calibrated": (bid, by) => ({
      calibrationPpm: atMost(1_000_000n, bid.calibrationPpm + by),
    }),
  };

  test.each(Object.keys(better))("by being %s never scores worse", (way) => {
    fc.assert(
      fc.property(
        anyPolicy,
        anyAuction,
        fc.bigInt(0n, 10n ** 18n),
        (policy: PolicyName, { terms, bids }, by) => {
          for (const bid of bids) {
            const improved = { ...bid, ...better[way]?.(bid, by) };
            const before = score(policy, terms, bid).scoreMicros;
            expect(score(policy, terms, improved).scoreMicros <= before).toBe(true);
          }
        },
      ),
    );
  });

  test("by one micro-unit of success scores strictly better under CIVIC_V1", () => {
    const surer = aBid({ successPpm: 980_001n });

    const gain =
      score("CIVIC_V1", someTerms(), aBid()).scoreMicros -
      score("CIVIC_V1", someTerms(), surer).scoreMicros;

    expect(gain).toBe(2n);
  });
});

function micros(value: number): bigint {
  return BigInt(Math.round(value * 1e6));
}

function atLeast(low: bigint, value: bigint): bigint {
  return value < low ? low : value;
}

function atMost(high: bigint, value: bigint): bigint {
  return value > high ? high : value;
}
