import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../src/filter.ts";
import { first } from "../src/first.ts";
import type { Slot } from "../src/market/ordered-set.ts";
import type { WholeView } from "../src/market/view.ts";
import {
  aFilter,
  aListing,
  eur,
  idsOf,
  openMarket,
  someFilter,
  someListings,
} from "./support/listing.ts";
import { isPassing } from "./support/model.ts";
import { type Desk, live, ORDERS, someSteps } from "./support/steps.ts";

const someFilters = fc.array(someFilter, { maxLength: 4 });

function ranked(desk: Desk, view: WholeView): string[] {
  return idsOf(
    desk.market,
    Array.from({ length: view.size }, (_, rank) => view.at(rank)),
  );
}

function surenessIn(view: WholeView): number[] {
  return Array.from({ length: view.size }, (_, rank) => view.ability.ppm(view.at(rank)));
}

describe("a view that is kept", () => {
  test("is after any changes what a fresh look finds, in every order", () => {
    fc.assert(
      fc.property(someFilters, someSteps, fc.nat(3), someSteps, (some, begin, depth, steps) => {
        const filters = [aFilter(), ...some];
        const kept = openMarket("kept", { manyMin: 3 });
        const fresh = openMarket("sifted");
        const present = live(kept, begin);
        live(fresh, begin);
        // Both look at the same times: what was let go of then does not come back with an earlier hour.
        fresh.market.advance(fresh.clock.nowMs);
        for (const filter of filters) {
          kept.market.whole(filter);
          const view = kept.market.whole(filter);
          for (const order of ORDERS) first(view.walk(order), 1 + 4 * depth);
          expect(view.mostPpm).toBe(Math.max(1, ...surenessIn(view)));
        }

        live(fresh, steps, new Map(present));
        live(kept, steps, present);

        for (const filter of filters) {
          const view = kept.market.whole(filter);
          const other = fresh.market.whole(filter);
          const nowMs = Math.min(kept.clock.nowMs, kept.clock.heldMs);
          const passing = [...present.values()].filter((each) => isPassing(each, filter, nowMs));
          expect(ranked(kept, view)).toEqual(passing.map(({ agentId }) => agentId).sort());
          expect(view.currency).toBe(other.currency);
          const surest = Math.max(0, ...surenessIn(view));
          expect(view.mostPpm).toBeGreaterThanOrEqual(surest);
          for (const order of ORDERS) {
            const found = idsOf(kept.market, view.walk(order));
            expect(found, order).toEqual(idsOf(fresh.market, other.walk(order)));
          }
          expect(kept.market.counts(view)).toEqual(fresh.market.counts(other));
        }
        expect([...kept.market.capabilities()].sort(byName)).toEqual(
          [...fresh.market.capabilities()].sort(byName),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("counts who is under way as those who were picked within the minute, and since their report", () => {
    const desk = openMarket("kept");
    const slot = desk.put(aListing({ inFlight: 2 }));
    const { agents } = desk.market;
    desk.market.picked(slot);
    desk.clock.nowMs += 1_000;
    desk.market.picked(slot);
    expect([agents.loadOf(slot), agents.picks[slot]]).toEqual([4, 2]);

    desk.put(aListing({ inFlight: 5, reportedMs: desk.clock.nowMs - 1 }));
    expect([agents.loadOf(slot), agents.picks[slot]]).toEqual([6, 2]);

    desk.market.advance(desk.clock.nowMs + 59_000);
    expect([agents.loadOf(slot), agents.picks[slot]]).toEqual([6, 1]);
    desk.market.advance(desk.clock.nowMs + 60_000);
    expect([agents.loadOf(slot), agents.picks[slot]]).toEqual([5, 0]);
  });

  test("finds the rank behind any id, and that of each of its agents", () => {
    fc.assert(
      fc.property(someListings, fc.boolean(), fc.string(), (listings, isKept, text) => {
        const desk = openMarket(isKept ? "kept" : "sifted");
        desk.settle(listings);
        const filter = aFilter({ states: ["ONLINE", "BUSY"] });
        desk.market.whole(filter);
        const view = desk.market.whole(filter);
        const ids = ranked(desk, view);

        for (const id of [text, ...ids]) {
          expect(view.rankAfter(id)).toBe(ids.filter((other) => other <= id).length);
        }
        for (const { agentId } of listings) {
          const slot = desk.market.slotOf(agentId) as Slot;
          const rank = ids.indexOf(agentId);
          expect(view.rankOf(slot)).toBe(rank === -1 ? undefined : rank);
          expect(view.has(slot)).toBe(rank !== -1);
        }
      }),
    );
  });

  test("without some agents is as if they were not there", () => {
    fc.assert(
      fc.property(someListings, fc.nat(5), fc.boolean(), (listings, some, isKept) => {
        const desk = openMarket(isKept ? "kept" : "sifted");
        desk.settle(listings);
        const filter = aFilter({ states: ["ONLINE", "BUSY", "MAINTENANCE"] });
        desk.market.whole(filter);
        const all = desk.market.whole(filter);
        const excluded = listings.filter((_, index) => index % 6 <= some);
        const gone = new Set(excluded.map(({ agentId }) => agentId));
        const slots = [...gone].map((id) => desk.market.slotOf(id) as Slot);

        const view = all.without(slots);

        const left = ranked(desk, all).filter((id) => !gone.has(id));
        const found = Array.from({ length: view.size }, (_, rank) => view.at(rank));
        expect(idsOf(desk.market, found)).toEqual(left);
        expect(found.map((slot) => view.rankOf(slot))).toEqual(found.map((_, rank) => rank));
        expect(slots.some((slot) => view.has(slot))).toBe(false);
        for (const { agentId } of listings) {
          const after = left.filter((id) => id <= agentId).length;
          expect(view.rankAfter(agentId)).toBe(after);
        }
        const ordered = idsOf(desk.market, all.walk("COST")).filter((id) => !gone.has(id));
        expect(idsOf(desk.market, view.walk("COST"))).toEqual(ordered);
      }),
    );
  });
});

describe("the views of a market", () => {
  const asking = (cents: number): Filter => aFilter({ maxCost: eur(cents) });

  test("are made for a filter that is asked again soon, not for one that is asked once", () => {
    const desk = openMarket("kept", { limits: limitsOf({ againMs: 1_000 }) });
    desk.put(aListing());
    const { market, clock } = desk;

    market.whole(asking(1));
    market.whole(asking(2));
    clock.nowMs += 1_001;
    market.whole(asking(1));
    expect(market.views.size).toBe(0);
    clock.nowMs += 1_000;
    market.whole(asking(1));

    expect(market.views.size).toBe(1);
  });

  test("go when there are too many, the one that was not used for longest first", () => {
    const desk = openMarket("kept", { limits: limitsOf({ viewsMax: 20 }) });
    desk.put(aListing());
    for (let cents = 0; cents < 100; cents += 1) {
      desk.market.whole(asking(7));
      desk.market.whole(asking(cents));
      desk.market.whole(asking(cents));
      expect(desk.market.views.size).toBeLessThanOrEqual(20);
    }

    const before = desk.market.views.size;
    desk.market.whole(asking(7));
    expect(desk.market.views.size).toBe(before);
  });

  test("go when they hold too much together", () => {
    const desk = openMarket("kept", { limits: limitsOf({ entriesMax: () => 100 }) });
    for (let index = 0; index < 30; index += 1) desk.put(aListing({ agentId: `agent-${index}` }));

    for (const state of ["ONLINE", "BUSY", "OFFLINE", "MAINTENANCE"] as const) {
      for (const other of ["ONLINE", "BUSY"] as const) {
        const filter = aFilter({ states: ["ONLINE", state, other] });
        desk.market.whole(filter);
        desk.market.whole(filter);
        expect(desk.market.views.entries).toBeLessThanOrEqual(100);
      }
    }
  });

  test("leave no name behind when they go", () => {
    const desk = openMarket("kept");
    const names = () => {
      const { capabilities, currencies, labelNames } = desk.market.agents;
      return [capabilities.size, currencies.size, labelNames.size];
    };
    desk.put(aListing());
    const filter = aFilter({ capabilities: ["go"], maxCost: eur(1), labels: { zone: "eu" } });
    for (let time = 0; time < 3; time += 1) desk.market.whole(filter);
    expect(names()).toEqual([2, 1, 1]);

    desk.market.views.clear();

    expect(names()).toEqual([1, 0, 0]);
  });

  function limitsOf(facts: object) {
    const base = {
      againMs: Infinity,
      askedMax: 10,
      viewsMax: 100,
      entriesMax: () => Infinity,
      firstMin: 1_024,
      followedMax: 10,
      atOnceMax: 1_024,
      looksMax: 1_000,
      sampleMax: 256,
      sliceMax: 8_192,
      briefMax: 32,
    };
    return { ...base, ...facts };
  }
});

function byName(a: { readonly capability: string }, b: { readonly capability: string }): number {
  return a.capability < b.capability ? -1 : 1;
}
