import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decay, HALF_LIFE_MS, NO_EVIDENCE, reliabilityBound, reliabilityOf } from "../src/index.ts";
import { addEvidence } from "../src/reliability.ts";

const DAY_MS = 86_400_000n;
const anyCount = fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(0n, 10_000_000_000n));

describe("decay", () => {
  test.each([
    ["at once", 0n, 1_000_000n],
    ["before its time", -DAY_MS, 1_000_000n],
    ["in a quarter of the half-life", HALF_LIFE_MS / 4n, 840_896n],
    ["in half the half-life", HALF_LIFE_MS / 2n, 707_107n],
    ["in a day", DAY_MS, 992_328n],
    ["in the half-life", HALF_LIFE_MS, 500_000n],
    ["in three half-lives", 3n * HALF_LIFE_MS, 125_000n],
    ["in a thousand half-lives", 1_000n * HALF_LIFE_MS, 0n],
  ])("%s takes a million to what 2^-t says", (_when, elapsedMs, left) => {
    expect(decay(1_000_000n, elapsedMs)).toBe(left);
  });

  test("agrees with floating point to a part in 10^12", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 20n * HALF_LIFE_MS), (elapsedMs) => {
        const exact = Number(decay(10n ** 15n, elapsedMs)) / 1e15;
        const float = 2 ** (-Number(elapsedMs) / Number(HALF_LIFE_MS));
        expect(Math.abs(exact - float)).toBeLessThan(1e-12);
      }),
    );
  });

  test("never grows with time", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 15n),
        fc.bigInt(0n, 10n * HALF_LIFE_MS),
        fc.bigInt(0n, DAY_MS),
        (amount, elapsedMs, moreMs) => {
          expect(decay(amount, elapsedMs + moreMs) <= decay(amount, elapsedMs)).toBe(true);
        },
      ),
    );
  });
});

describe("evidence", () => {
  const outcome = (success: boolean, atMs: bigint) => ({ success, weightPpm: 1_000_000n, atMs });

  test("weighs half after the half-life", () => {
    const evidence = addEvidence(NO_EVIDENCE, outcome(true, DAY_MS));

    const later = addEvidence(evidence, outcome(false, DAY_MS + HALF_LIFE_MS));

    expect(later).toEqual({
      successMicros: 500_000n,
      failureMicros: 1_000_000n,
      asOfMs: DAY_MS + HALF_LIFE_MS,
    });
  });

  test("that arrives late enters as old as it is", () => {
    const first = outcome(true, DAY_MS);
    const second = outcome(false, DAY_MS + HALF_LIFE_MS);

    const inOrder = addEvidence(addEvidence(NO_EVIDENCE, first), second);
    const reversed = addEvidence(addEvidence(NO_EVIDENCE, second), first);

    expect(reversed).toEqual(inOrder);
  });

  test("is the same in any order, but for a unit of rounding per outcome", () => {
    const anyOutcome = fc.record({
      success: fc.boolean(),
      weightPpm: fc.bigInt(0n, 5_000_000n),
      atMs: fc.bigInt(0n, 10n * HALF_LIFE_MS),
    });
    fc.assert(
      fc.property(
        fc
          .array(anyOutcome, { maxLength: 12 })
          .chain((all) =>
            fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
          ),
        ([all, shuffled]) => {
          const a = all.reduce(addEvidence, NO_EVIDENCE);
          const b = shuffled.reduce(addEvidence, NO_EVIDENCE);
          const slack = BigInt(2 * all.length);
          expect(b.asOfMs).toBe(a.asOfMs);
          expect(distance(a.successMicros, b.successMicros) <= slack).toBe(true);
          expect(distance(a.failureMicros, b.failureMicros) <= slack).toBe(true);
        },
      ),
    );
  });

  test("returns to the prior when it is old", () => {
    const evidence = addEvidence(NO_EVIDENCE, outcome(true, DAY_MS));

    expect(reliabilityOf(evidence, 200n * HALF_LIFE_MS)).toEqual(reliabilityOf(NO_EVIDENCE, 0n));
  });
});

describe("the bound", () => {
  test.each([
    ["nothing is known", 1n, 1n, 500_000n, 94_528n, 905_472n],
    ["1 of 1 succeeded", 2n, 1n, 666_667n, 207_654n, 938_510n],
    ["99 of 100 succeeded", 100n, 2n, 980_392n, 931_305n, 994_607n],
    ["0 of 10 succeeded", 1n, 11n, 83_333n, 14_864n, 353_886n],
    ["999 of 1000 succeeded", 1000n, 2n, 998_004n, 992_751n, 999_453n],
  ])("when %s has these ends", (_what, alpha, beta, meanPpm, lowerPpm, upperPpm) => {
    expect(reliabilityBound(alpha * 1_000_000n, beta * 1_000_000n)).toEqual({
      meanPpm,
      lowerPpm,
      upperPpm,
    });
  });

  test("puts 99 of 100 before 1 of 1, which the raw rate does not", () => {
    const veteran = reliabilityBound(100_000_000n, 2_000_000n);
    const newcomer = reliabilityBound(2_000_000n, 1_000_000n);

    expect(veteran.lowerPpm > newcomer.lowerPpm).toBe(true);
  });

  test("encloses the mean within 0 and 1, and no more than the closed formula gives", () => {
    fc.assert(
      fc.property(anyCount, anyCount, (a, b) => {
        if (a + b === 0n) return;
        const { meanPpm, lowerPpm, upperPpm } = reliabilityBound(a, b);
        expect(0n <= lowerPpm && lowerPpm <= meanPpm).toBe(true);
        expect(meanPpm <= upperPpm && upperPpm <= 1_000_000n).toBe(true);
        const [lower, upper] = wilson(Number(a) / 1e6, Number(b) / 1e6);
        expect(Math.abs(Number(lowerPpm) / 1e6 - lower)).toBeLessThan(1.01e-6);
        expect(Math.abs(Number(upperPpm) / 1e6 - upper)).toBeLessThan(1.01e-6);
      }),
    );
  });

  test("rises with a success and falls with a failure", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2000n), fc.bigInt(1n, 2000n), (successes, failures) => {
        const a = successes * 1_000_000n;
        const b = failures * 1_000_000n;
        const now = reliabilityBound(a, b);
        const better = reliabilityBound(a + 1_000_000n, b);
        const worse = reliabilityBound(a, b + 1_000_000n);
        expect(better.lowerPpm >= now.lowerPpm && better.upperPpm >= now.upperPpm).toBe(true);
        expect(worse.lowerPpm <= now.lowerPpm && worse.upperPpm <= now.upperPpm).toBe(true);
      }),
    );
  });

  test.each([
    [0n, 0n],
    [-1n, 2n],
    [2n, -1n],
  ])("of (%d, %d) is refused", (alpha, beta) => {
    expect(() => reliabilityBound(alpha, beta)).toThrow(RangeError);
  });
});

/** The textbook form, as an independent check. */
function wilson(successes: number, failures: number): [number, number] {
  const n = successes + failures;
  const p = successes / n;
  const z2 = 1.96 ** 2;
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (1.96 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}
