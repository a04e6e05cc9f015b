import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comparison, type Part } from "../src/market/orders.ts";
import { sortFirst } from "../src/market/sort-first.ts";

/** Figures per slot: few different ones in the first columns, so that there are ties; the last is the slot. */
const someFigures = fc.array(
  fc.tuple(fc.constantFrom(0, 1, Infinity), fc.nat(3), fc.nat(3), fc.double({ noNaN: true })),
  { maxLength: 200 },
);

function partsOf(figures: readonly (readonly number[])[]): Part[] {
  const columns = [0, 1, 2, 3].map(
    (nth): Part =>
      (slot) =>
        figures[slot]?.[nth] as number,
  );
  return [...columns, (slot) => slot];
}

describe("sorting the first slots", () => {
  test("puts at the front what sorting all of them does, and loses none", () => {
    fc.assert(
      fc.property(someFigures, fc.nat(220), (figures, count) => {
        const parts = partsOf(figures);
        const slots = Int32Array.from(figures.keys());

        sortFirst(slots, parts, count);

        const sorted = Array.from(figures.keys()).sort(comparison(parts));
        expect([...slots.subarray(0, count)]).toEqual(sorted.slice(0, count));
        expect([...slots].sort((a, b) => a - b)).toEqual([...figures.keys()]);
      }),
      { numRuns: 500 },
    );
  });

  test("takes no longer for slots that are all equal, or in order already, than for others", () => {
    const slots = Int32Array.from({ length: 20_000 }, (_, slot) => slot);
    let looks = 0;
    const parts: Part[] = [
      () => {
        looks += 1;
        return 7;
      },
      (slot) => {
        looks += 1;
        return slot;
      },
    ];

    sortFirst(slots, parts, 20_000);

    expect([...slots.subarray(0, 3)]).toEqual([0, 1, 2]);
    expect(looks).toBeLessThan(100_000);
  });
});
