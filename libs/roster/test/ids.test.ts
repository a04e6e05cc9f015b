import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ids } from "../src/ids.ts";

/** Comes and goes of ids, so many that the table is widened. */
const someSteps = fc.array(fc.tuple(fc.boolean(), fc.nat(300)), { maxLength: 600 });

describe("ids", () => {
  test("have the slots that they were given, whoever comes and goes", () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const ids = new Ids();
        const known = new Map<string, number>();
        const free: number[] = [];
        for (const [isAdded, nth] of steps) {
          const id = `agent-${nth}`;
          if (!isAdded) {
            const slot = known.get(id);
            expect(ids.remove(id)).toBe(slot);
            known.delete(id);
            if (slot !== undefined) free.push(slot);
          } else if (!known.has(id)) {
            const slot = free.pop() ?? known.size;
            ids.add(id, slot);
            known.set(id, slot);
          }
        }

        expect(ids.size).toBe(known.size);
        for (let nth = 0; nth <= 300; nth += 1) {
          expect(ids.slotOf(`agent-${nth}`)).toBe(known.get(`agent-${nth}`));
        }
        expect([...ids.all()].sort()).toEqual([...known.keys()].sort());
        expect([...ids.slots()].sort()).toEqual([...known.values()].sort());
      }),
    );
  });

  test("are spread: a hundred thousand that count up are found as soon as a few", () => {
    const ids = new Ids();
    for (let nth = 0; nth < 100_000; nth += 1) ids.add(`agent-${nth}`, nth);

    const fromMs = performance.now();
    for (let nth = 0; nth < 100_000; nth += 1) ids.slotOf(`agent-${nth}`);

    // In one long row it would take minutes.
    expect(performance.now() - fromMs).toBeLessThan(5_000);
  });
});
