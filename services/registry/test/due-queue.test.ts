import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDueQueue } from "../src/due-queue.ts";

describe("a queue of what is due", () => {
  test("gives each key once, at the earliest time that it was put for, in order", () => {
    const puts = fc.array(
      fc.tuple(fc.constantFrom(..."abcdefgh"), fc.integer({ min: 0, max: 99 })),
    );
    fc.assert(
      fc.property(puts, fc.integer({ min: 0, max: 99 }), (all, nowMs) => {
        const queue = createDueQueue();
        const earliest = new Map<string, number>();
        for (const [key, atMs] of all) {
          queue.put(key, atMs);
          earliest.set(key, Math.min(atMs, earliest.get(key) ?? atMs));
        }

        const [due, later] = [queue.takeDue(nowMs), queue.takeDue(100)];

        const times = due.map((key) => earliest.get(key) as number);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(times.every((atMs) => atMs <= nowMs)).toBe(true);
        expect([...due, ...later].sort()).toEqual([...earliest.keys()].sort());
      }),
    );
  });

  test("takes a key again that was given", () => {
    const queue = createDueQueue();
    queue.put("a", 1);
    queue.takeDue(1);

    queue.put("a", 3);

    expect(queue.takeDue(2)).toEqual([]);
    expect(queue.takeDue(3)).toEqual(["a"]);
  });
});
