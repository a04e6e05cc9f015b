import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Presence } from "../src/availability.ts";
import { afterOutages, leaseEndMs, type Outage, withOutage } from "../src/outage.ts";

const time = fc.nat(2_000);
/** One after the other. */
const outagesOf = (minCount: number, maxCount: number) =>
  fc.array(time, { minLength: 2 * minCount, maxLength: 2 * maxCount }).map((times) => {
    const ordered = times.toSorted((a, b) => a - b);
    return Array.from({ length: ordered.length >> 1 }, (_, nth): Outage => {
      return { sinceMs: ordered[2 * nth] as number, untilMs: ordered[2 * nth + 1] as number };
    });
  });
const anyOutages = outagesOf(0, 5);
const manyOutages = outagesOf(15, 40);

/** A lease of an agent that was last heard of at `heardMs`. */
function aLease(heardMs: number, lengthMs: number) {
  return { heardAt: new Date(heardMs), leaseExpireAt: new Date(heardMs + lengthMs) };
}

function aPresence(facts: Partial<Presence>): Presence {
  return {
    reported: { inFlight: 1, queueLength: 0, utilizationPpm: undefined },
    openSlots: 0,
    slotsChangedAt: undefined,
    heardAt: undefined,
    leaseExpireAt: undefined,
    ...facts,
  };
}

describe("a lease of 60", () => {
  test.each`
    outages                                                             | ends   | because
    ${[]}                                                               | ${160} | ${"there was no outage"}
    ${[{ sinceMs: 150, untilMs: 155 }]}                                 | ${215} | ${"it begins anew after an outage"}
    ${[{ sinceMs: 150, untilMs: 900 }]}                                 | ${960} | ${"it would not have outlived it"}
    ${[{ sinceMs: 160, untilMs: 900 }]}                                 | ${160} | ${"it had lapsed before"}
    ${[{ sinceMs: 20, untilMs: 90 }]}                                   | ${160} | ${"it was renewed since"}
    ${[{ sinceMs: 150, untilMs: 200 }, { sinceMs: 250, untilMs: 300 }]} | ${360} | ${"it was held when the next began"}
    ${[{ sinceMs: 150, untilMs: 200 }, { sinceMs: 260, untilMs: 300 }]} | ${260} | ${"it had ended when the next began"}
  `("renewed at 100 ends at $ends, when $because", ({ outages, ends }) => {
    expect(leaseEndMs(aLease(100, 60), outages)).toBe(ends);
  });

  test("is never shortened by an outage, and outlasts its length after the last by nothing", () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 1_000 }), anyOutages, (heardMs, ms, outages) => {
        const endMs = leaseEndMs(aLease(heardMs, ms), outages);

        expect(endMs).toBeGreaterThanOrEqual(heardMs + ms);
        expect(endMs).toBeLessThanOrEqual(
          Math.max(heardMs, ...outages.map(({ untilMs }) => untilMs)) + ms,
        );
      }),
    );
  });

  test("does not end sooner because only so many outages are remembered", () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 1_000 }), manyOutages, (heardMs, ms, outages) => {
        const remembered = outages.reduce<readonly Outage[]>(withOutage, []);
        const lease = aLease(heardMs, ms);

        expect(remembered.length).toBeLessThanOrEqual(16);
        expect(leaseEndMs(lease, remembered)).toBeGreaterThanOrEqual(leaseEndMs(lease, outages));
      }),
    );
  });
});

describe("of an agent whose store was away from 150 to 900", () => {
  const outages = [{ sinceMs: 150, untilMs: 900 }];
  const before = aPresence({ ...aLease(100, 60), openSlots: 2 });

  test("that the store has forgotten, what was known holds, but for its slots", () => {
    const held = { ...before, openSlots: 0, leaseExpireAt: new Date(960) };

    expect(afterOutages(undefined, before, outages)).toEqual(held);
  });

  test("of which the store knows slots only, these count beside what was known", () => {
    const found = aPresence({ openSlots: 1, slotsChangedAt: new Date(910) });

    expect(afterOutages(found, before, outages)).toEqual({
      ...before,
      openSlots: 1,
      slotsChangedAt: new Date(910),
      leaseExpireAt: new Date(960),
    });
  });

  test.each([
    { title: "was heard of since", found: aPresence(aLease(910, 30)), known: before },
    { title: "gave up its lease", found: aPresence({ heardAt: new Date(910) }), known: before },
    { title: "had lapsed before", found: undefined, known: aPresence(aLease(80, 60)) },
    { title: "nobody knew", found: undefined, known: undefined },
  ])("that $title, the store's word holds", ({ found, known }) => {
    expect(afterOutages(found, known, outages)).toBe(found);
  });
});
