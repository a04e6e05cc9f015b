import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latenciesOf, medianOf, percentileOf } from "./latencies.ts";

describe("a percentile", () => {
  test("is the smallest value that its share of all does not exceed", () => {
    const hundred = Array.from({ length: 100 }, (_, nth) => nth + 1);

    expect(percentileOf(hundred, 0.5)).toBe(50);
    expect(percentileOf(hundred, 0.99)).toBe(99);
    expect(percentileOf([3], 0.99)).toBe(3);
    expect(percentileOf([], 0.99)).toBe(0);
  });

  test("has its share of the values at or below it", () => {
    const values = fc.array(fc.double({ min: 0, max: 1_000, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, (tookMs) => {
        const { p99Ms, maxMs } = latenciesOf(tookMs);
        const within = tookMs.filter((took) => took <= p99Ms).length;

        expect(within).toBeGreaterThanOrEqual(0.99 * tookMs.length);
        expect(maxMs).toBe(Math.max(...tookMs));
      }),
    );
  });
});

test.each([
  [[], undefined],
  [[4], 4],
  [[9, 1, 5], 5],
  [[8, 2, 4, 6], 5],
])("the median of %j is %j", (values, median) => {
  expect(medianOf(values)).toBe(median);
});
