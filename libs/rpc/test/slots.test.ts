import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SlotMap, Slots } from "../src/slots.ts";

/** What is done with a key: it comes when it is not there, else it leaves. */
const comings = fc.array(fc.integer({ min: 1, max: 20 }));

describe("a slot map", () => {
  test("holds what has come and has not left", () => {
    fc.assert(
      fc.property(comings, (keys) => {
        const slots = new SlotMap<number, string>();
        const held = new Map<number, string>();
        for (const [nth, key] of keys.entries()) {
          if (held.delete(key)) {
            slots.delete(key);
          } else {
            slots.add(key, `value ${nth}`);
            held.set(key, `value ${nth}`);
          }
          expect(slots.get(key)).toBe(held.get(key));
          expect(slots.size).toBe(held.size);
          expect([...slots].sort()).toEqual([...held.values()].sort());
        }
      }),
    );
  });

  test("heeds no key that is not there", () => {
    const slots = new SlotMap<string, string>();
    slots.add("here", "value");

    slots.delete("not here");

    expect([...slots]).toEqual(["value"]);
    expect(slots.get("not here")).toBeUndefined();
  });

  test("takes a value in the place of the one that its key had, in whose order it stays", () => {
    const slots = new SlotMap<string, number>();
    slots.set("a", 1);
    slots.set("b", 2);

    slots.set("a", 3);

    expect([...slots.keys()]).toEqual(["a", "b"]);
    expect([slots.get("a"), slots.get("b"), slots.size]).toEqual([3, 2, 2]);
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
