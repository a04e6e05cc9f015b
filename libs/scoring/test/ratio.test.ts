import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromPpm, toPpm } from "../src/index.ts";
import { integerSqrt, roundHalfEven, roundTogether } from "../src/ratio.ts";

describe("rounding", () => {
  test.each([
    [5n, 2n, 2n],
    [7n, 2n, 4n],
    [-5n, 2n, -2n],
    [-7n, 2n, -4n],
    [8n, 3n, 3n],
    [7n, 3n, 2n],
    [-8n, 3n, -3n],
    [6n, 3n, 2n],
    [0n, 3n, 0n],
  ])("%d / %d is %d: the nearest, a tie to the even one", (numerator, denominator, rounded) => {
    expect(roundHalfEven(numerator, denominator)).toBe(rounded);
  });

  test("of parts together gives what is left over to the largest remainders", () => {
    const thirds = [1n, 2n, 3n, 3n].map((numerator) => ({ numerator, denominator: 3n }));

    expect(roundTogether(thirds)).toEqual({ total: 3n, shares: [0n, 1n, 1n, 1n] });
  });

  test("of parts together sums to the total, with no part off by a unit", () => {
    const anyPart = fc.record({
      numerator: fc.bigInt(-(10n ** 20n), 10n ** 20n),
      denominator: fc.oneof(fc.bigInt(1n, 12n), fc.bigInt(1n, 10n ** 12n)),
    });
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 6 }), (parts) => {
        const { total, shares } = roundTogether(parts);
        expect(shares.reduce((sum, share) => sum + share, 0n)).toBe(total);
        for (const [index, { numerator, denominator }] of parts.entries()) {
          const error = (shares[index] ?? 0n) * denominator - numerator;
          expect(error < denominator && -error < denominator).toBe(true);
        }
      }),
    );
  });
});

describe("the integer square root", () => {
  test("is the largest integer whose square does not exceed the value", () => {
    fc.assert(
      fc.property(fc.oneof(fc.bigInt(0n, 100n), fc.bigInt(0n, 2n ** 200n)), (value) => {
        const root = integerSqrt(value);
        expect(root * root <= value && value < (root + 1n) * (root + 1n)).toBe(true);
      }),
    );
  });

  test("of a negative value is refused", () => {
    expect(() => integerSqrt(-1n)).toThrow(RangeError);
  });
});

describe("ppm", () => {
  test.each([
    [0.98, 980_000n],
    [0.1 + 0.2, 300_000n],
    [-0.5, -500_000n],
    [1, 1_000_000n],
  ])("of %d is %d", (ratio, ppm) => {
    expect(toPpm(ratio)).toBe(ppm);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("of %d is refused", (ratio) => {
    expect(() => toPpm(ratio)).toThrow("must be a finite number");
  });

  test("survive the way to a number and back", () => {
    fc.assert(
      fc.property(fc.bigInt(-5_000_000n, 5_000_000n), (ppm) => {
        expect(toPpm(fromPpm(ppm))).toBe(ppm);
      }),
    );
  });
});
