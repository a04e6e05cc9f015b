import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Presence } from "../src/availability.ts";
import { createKnown } from "../src/redis/known.ts";

const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const count = fc.nat({ max: 1_000_000 });
const date = fc.date({ noInvalidDate: true, min: new Date(1), max: new Date("2100-01-01") });

function aPresence(): fc.Arbitrary<Presence> {
  return fc.record({
    reported: fc.record({
      inFlight: count,
      queueLength: count,
      utilizationPpm: optional(count),
    }),
    openSlots: count,
    slotsChangedAt: optional(date),
    heardAt: optional(date),
    leaseExpireAt: optional(date),
  });
}

const NOON = new Date("2026-11-20T12:00:00Z");
const [SOME] = fc.sample(aPresence(), 1) as [Presence];

describe("what is known of agents while their store is away", () => {
  test("is what was remembered last, marked as stale", () => {
    fc.assert(
      fc.property(aPresence(), aPresence(), (first, last) => {
        const known = createKnown();
        known.remember("a", first);
        known.remember("a", last);

        expect(known.stale("a", NOON)).toEqual({ ...last, staleSince: NOON });
      }),
    );
  });

  test.each([
    { who: "was never heard of", forget: () => {} },
    {
      who: "is there no more",
      forget: (known: ReturnType<typeof createKnown>) => {
        known.remember("a", SOME);
        known.forgetOld();
        known.remember("a", undefined);
      },
    },
    {
      who: "was not remembered for long",
      forget: (known: ReturnType<typeof createKnown>) => {
        known.remember("a", SOME);
        known.forgetOld();
        known.forgetOld();
      },
    },
  ])("is nothing of an agent that $who", ({ forget }) => {
    const known = createKnown();
    forget(known);

    expect(known.stale("a", NOON)).toMatchObject({
      heardAt: undefined,
      openSlots: 0,
      staleSince: NOON,
    });
  });

  test("outlasts one forgetting", () => {
    const known = createKnown();
    known.remember("a", SOME);
    known.forgetOld();

    expect(known.stale("a", NOON)).toEqual({ ...SOME, staleSince: NOON });
  });

  test("tells for whom it was asked, once, and of all when they are very many", () => {
    const known = createKnown();
    for (const agentId of ["a", "b", "a"]) known.stale(agentId, NOON);

    expect(known.takeStale()).toEqual({ kind: "agents", agentIds: ["a", "b"] });
    expect(known.takeStale()).toBeUndefined();
    for (let n = 0; n <= 10_000; n++) known.stale(String(n), NOON);
    const all = known.takeStale();
    expect(all).toEqual({ kind: "all" });
    known.giveBack(all ?? { kind: "agents", agentIds: [] });
    expect(known.takeStale()).toEqual({ kind: "all" });
  });
});
