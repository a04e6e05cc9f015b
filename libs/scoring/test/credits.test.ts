import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accuracyPpm, creditsMicros } from "../src/index.ts";

const MINUTE_MS = 60_000n;
const aPerformance = {
  success: true,
  bidMicros: 2_300_000n,
  estimatedLatencyMs: 25n * MINUTE_MS,
  actualLatencyMs: 23n * MINUTE_MS,
};

describe("accuracy", () => {
  test.each([
    [23n, 25n, 920_000n],
    [27n, 25n, 920_000n],
    [25n, 25n, 1_000_000n],
    [0n, 25n, 0n],
    [50n, 25n, 0n],
    [500n, 25n, 0n],
    [2_100_000n, 2_300_000n, 913_043n],
  ])("of %d against an estimate of %d is %d ppm", (actual, estimate, ppm) => {
    expect(accuracyPpm(actual, estimate)).toBe(ppm);
  });

  test.each([
    ["an estimate of 0", 1n, 0n],
    ["a negative estimate", 1n, -1n],
    ["a negative fact", -1n, 1n],
  ])("is refused for %s", (_what, actual, estimate) => {
    expect(() => accuracyPpm(actual, estimate)).toThrow(RangeError);
  });

  test("lies within 0 and 1, and is 1 only for what rounds to the estimate", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 18n), fc.bigInt(1n, 10n ** 18n), (actual, estimate) => {
        const ppm = accuracyPpm(actual, estimate);
        expect(ppm >= 0n && ppm <= 1_000_000n).toBe(true);
        expect(accuracyPpm(estimate, estimate)).toBe(1_000_000n);
      }),
    );
  });
});

describe("credits", () => {
  test.each([
    ["that cost what was bid", undefined, 2_741_600n],
    ["whose cost is given as 0: as bid", 0n, 2_741_600n],
    ["that cost 2.10", 2_100_000n, 2_721_600n],
    ["that cost more than twice the bid", 9_000_000n, 2_511_600n],
  ])("for a success %s are exact", (_what, actualCostMicros, credits) => {
    expect(creditsMicros({ ...aPerformance, actualCostMicros })).toBe(credits);
  });

  test.each([
    ["half the bid", 2_300_000n, -1_150_000n],
    ["half the bid, a tie to even", 5n, -2n],
    ["half the bid, a tie to even, upwards", 7n, -4n],
  ])("for a failure are minus %s", (_what, bidMicros, credits) => {
    expect(creditsMicros({ ...aPerformance, success: false, bidMicros })).toBe(credits);
  });

  test("for a success lie between the bid and six fifths of it", () => {
    const anyAmount = fc.bigInt(1n, 10n ** 18n);
    fc.assert(
      fc.property(
        fc.record({
          success: fc.constant(true),
          bidMicros: anyAmount,
          estimatedLatencyMs: anyAmount,
          actualLatencyMs: fc.bigInt(0n, 10n ** 18n),
          actualCostMicros: fc.option(anyAmount, { nil: undefined }),
        }),
        (performance) => {
          const credits = creditsMicros(performance);
          expect(credits >= performance.bidMicros).toBe(true);
          expect(5n * credits <= 6n * performance.bidMicros + 5n).toBe(true);
        },
      ),
    );
  });

  test("are refused for a bid of nothing", () => {
    expect(() => creditsMicros({ ...aPerformance, bidMicros: 0n })).toThrow("bidMicros");
  });
});
