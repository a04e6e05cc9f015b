import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OrderedSet } from "../src/market/ordered-set.ts";
import { comparison, orderingOf, type Part } from "../src/market/orders.ts";

/** Slots from 0 to 2,999, ordered by a key that many of them share, then by number. */
const KEYS = Array.from({ length: 3_000 }, (_, slot) => (slot * 7_919) % 50);
const parts: readonly Part[] = [(slot) => KEYS[slot] as number, (slot) => slot];
const compare = comparison(parts);
const ordering = orderingOf(parts);
const slots = fc.nat(2_999);

interface Step {
  readonly kind: "insert" | "remove";
  readonly slots: readonly number[];
}
const someSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("insert", "remove"),
    slots: fc.oneof(
      fc.array(slots, { maxLength: 20 }),
      fc
        .tuple(slots, slots, fc.integer({ min: 1, max: 7 }))
        .map(([from, count, step]) =>
          Array.from({ length: count }, (_, index) => (from + index * step) % 3_000),
        ),
    ),
  }),
  { maxLength: 8 },
);

/** What a plain sorted array makes of the same steps. */
function modelOf(steps: readonly Step[]): number[] {
  const model = new Set<number>();
  for (const { kind, slots } of steps) {
    for (const slot of slots) kind === "insert" ? model.add(slot) : model.delete(slot);
  }
  return [...model].sort(compare);
}

function setOf(steps: readonly Step[], begun = new OrderedSet(ordering)): OrderedSet {
  for (const { kind, slots } of steps) {
    for (const slot of slots) kind === "insert" ? begun.insert(slot) : begun.remove(slot);
  }
  return begun;
}

describe("an ordered set", () => {
  test("holds what a plain sorted array holds, rank by rank, after any changes", () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const model = modelOf(steps);
        const set = setOf(steps);

        expect(set.size).toBe(model.length);
        expect([...set.toArray()]).toEqual(model);
        expect([...set.walk()]).toEqual(model);
        expect(model.map((_, rank) => set.at(rank))).toEqual(model);
      }),
    );
  });

  test("made all at once is as if it had been filled one by one, and can be changed like it", () => {
    fc.assert(
      fc.property(someSteps, someSteps, (before, after) => {
        const sorted = Int32Array.from(modelOf(before));

        const set = setOf(after, OrderedSet.of(sorted, ordering));

        const model = modelOf([...before, ...after]);
        expect([...set.walk()]).toEqual(model);
        expect(model.map((_, rank) => set.at(rank))).toEqual(model);
      }),
    );
  });

  test("tells who is in, and whether a change made a difference", () => {
    fc.assert(
      fc.property(someSteps, slots, (steps, slot) => {
        const set = setOf(steps);
        const had = modelOf(steps).includes(slot);

        expect(set.has(slot)).toBe(had);
        expect(set.insert(slot)).toBe(!had);
        expect(set.has(slot)).toBe(true);
        expect(set.remove(slot)).toBe(true);
        expect(set.remove(slot)).toBe(false);
        expect(set.has(slot)).toBe(false);
      }),
    );
  });

  test("finds the rank where a part of the order ends, and walks on from any rank", () => {
    fc.assert(
      fc.property(someSteps, slots, fc.nat(4_000), (steps, limit, rank) => {
        const model = modelOf(steps);
        const set = setOf(steps);

        const bound = set.lowerBound((slot) => compare(slot, limit) < 0);

        expect(bound).toBe(model.filter((slot) => compare(slot, limit) < 0).length);
        expect([...set.walk(rank)]).toEqual(model.slice(rank));
      }),
    );
  });

  test("knows no rank outside", () => {
    const set = OrderedSet.of(Int32Array.of(3), ordering);

    expect(() => set.at(1)).toThrow(RangeError);
    expect(() => set.at(-1)).toThrow(RangeError);
    expect(() => new OrderedSet(ordering).at(0)).toThrow(RangeError);
  });
});
