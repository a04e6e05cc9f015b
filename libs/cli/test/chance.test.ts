import fc from "fast-check";
import { expect, test } from "vitest";
import { chance, simulate } from "../src/demo/chance.ts";

test("the same seed simulates the same work", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [one, other] = [chance(seed), chance(seed)];

      expect(simulate(1_500_000n, one)).toEqual(simulate(1_500_000n, other));
    }),
  );
});

test("simulated work takes whole minutes within 15 in 100 of what was promised", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 10, max: 10_000 }), (seed, minutes) => {
      const { actualMs } = simulate(BigInt(minutes) * 60_000n, chance(seed));

      expect(actualMs % 60_000n).toBe(0n);
      expect(Number(actualMs / 60_000n)).toBeGreaterThanOrEqual(Math.floor(minutes * 0.85));
      expect(Number(actualMs / 60_000n)).toBeLessThanOrEqual(Math.ceil(minutes * 1.15));
    }),
  );
});

test("simulated work succeeds about 95 times in 100", () => {
  const random = chance(7);
  const runs = Array.from({ length: 2_000 }, () => simulate(60_000n, random));

  const share = runs.filter(({ success }) => success).length / runs.length;

  expect(share).toBeGreaterThan(0.93);
  expect(share).toBeLessThan(0.97);
});
