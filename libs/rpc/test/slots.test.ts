import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SlotMap, Slots } from "../src/slots.ts";

/** What is done with a key: something comes, be another there or not, or it leaves, be it there or not. */
const doings = fc.array(
  fc.record({ key: fc.integer({ min: 1, max: 20 }), what: fc.constantFrom("comes", "leaves") }),
);

describe("a slot map", () => {
  test("holds what came last for each key and has not left, and its keys in the order in which they came", () => {
    fc.assert(
      fc.property(doings, (all) => {
        const slots = new SlotMap<number, string>();
        const held = new Map<number, string>();
        for (const [nth, { key, what }] of all.entries()) {
          for (const map of [slots, held]) {
            if (what === "comes") map.set(key, `value ${nth}`);
            else map.delete(key);
          }
          expect([slots.get(key), slots.has(key)]).toEqual([held.get(key), held.has(key)]);
          expect(slots.size).toBe(held.size);
          expect([...slots.keys()]).toEqual([...held.keys()]);
          expect([...slots].sort()).toEqual([...held.values()].sort());
        }
      }),
    );
  });

  test("has nothing once it was cleared", () => {
    const slots = new SlotMap<string, number>();
    slots.set("a", 1);
    slots.set("b", 2);

    slots.clear();

    expect([slots.has("a"), slots.get("b"), slots.size]).toEqual([false, undefined, 0]);
    expect([...slots]).toEqual([]);
  });
});

describe("slots", () => {
  test("are used again", () => {
    const slots = new Slots<string>();
    const first = slots.add("first");
    slots.remove(first);

    expect(slots.add("second")).toBe(first);
    expect(slots.at(first)).toBe("second");
  });

  test("are gone by in full while those that were gone by leave", () => {
    const slots = new Slots<string>();
    const all = ["a", "b", "c"].map((value) => ({ value, slot: slots.add(value) }));
    const seen: string[] = [];

    for (const value of slots) {
      seen.push(value);
      slots.remove(all.find((each) => each.value === value)?.slot ?? -1);
    }

    expect(seen).toEqual(["a", "b", "c"]);
    expect([...slots]).toEqual([]);
  });
});
