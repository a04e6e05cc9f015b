import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../src/filter.ts";
import { first } from "../src/first.ts";
import type { Market } from "../src/market/market.ts";
import type { Slot } from "../src/market/ordered-set.ts";
import { comparison, isOfOneCurrency, partsOf } from "../src/market/orders.ts";
import { type ViewOrder, Wanted } from "../src/market/view.ts";
import {
  aFilter,
  aListing,
  eur,
  idsOf,
  openMarket,
  someFilter,
  someListing,
  someListings,
} from "./support/listing.ts";
import { isPassing } from "./support/model.ts";
import { live, ORDERS, type Step, someSteps } from "./support/steps.ts";

const someOrder = fc.constantFrom(...ORDERS);

/** The first agents of an order, as the market finds them. @throws Wanted */
function foundIn(market: Market, filter: Filter, order: ViewOrder, count: number): string[] {
  return idsOf(market, first(market.whole(filter).walk(order), count));
}

/** The same by sorting all agents now. */
function plainIn(market: Market, filter: Filter, order: ViewOrder, count: number): string[] {
  const { agents } = market;
  const view = market.whole(filter);
  const currency = isOfOneCurrency(order) ? (view.currency ?? "") : "";
  const number = agents.currencies.find(currency) ?? 0;
  const slots = Array.from({ length: view.size }, (_, rank) => view.at(rank));
  const sorted = slots.sort(comparison(partsOf(order, agents, view.ability, number)));
  return idsOf(market, sorted.slice(0, count));
}

/** A market whose slices are made by hand. */
function openSliced(manyMin: number) {
  const slices: (() => void)[] = [];
  const desk = openMarket("many", { manyMin, later: (work) => void slices.push(work) });
  const slice = async () => {
    slices.shift()?.();
    // Who waited for what is made looks at once.
    for (let turn = 0; turn < 10; turn += 1) await undefined;
  };
  return { ...desk, slice, slices };
}

function idOf(nth: number): string {
  return `agent-${nth + 10}`;
}

/** By moment who changes into what, comes, or goes. */
const someChanges = fc.array(
  fc.array(fc.tuple(fc.nat(44), fc.option(someListing, { nil: undefined })), { maxLength: 4 }),
  { minLength: 40, maxLength: 160 },
);

const someMoments = fc.array(someSteps, { maxLength: 12 });
const someMany = fc.constantFrom(3, 1_000);

describe("what is made in slices", () => {
  test("is, whatever changes between the slices, what a look at all at once finds, in every order", async () => {
    const facts = [
      someListings,
      someFilter,
      someOrder,
      fc.integer({ min: 1, max: 8 }),
      someMoments,
      someMany,
    ] as const;
    await fc.assert(
      fc.asyncProperty(...facts, async (listings, filter, order, count, moments, manyMin) => {
        const { market, clock, slice, slices, ...desk } = openSliced(manyMin);
        const put: Step = { kind: "put", listings };
        const present = live({ market, clock, ...desk }, [put]);
        let answers = 0;
        const look = () => {
          const found = foundIn(market, filter, order, count);
          expect(found).toEqual(plainIn(market, filter, order, count));
          const view = market.whole(filter);
          const nowMs = Math.min(clock.nowMs, clock.heldMs);
          const passing = [...present.values()].filter((each) => isPassing(each, filter, nowMs));
          const ids = Array.from({ length: view.size }, (_, rank) => view.at(rank));
          expect(idsOf(market, ids)).toEqual(passing.map(({ agentId }) => agentId).sort());
          expect(view.mostPpm).toBeGreaterThanOrEqual(
            Math.max(0, ...ids.map(view.ability.ppm, view.ability)),
          );
          answers += 1;
        };

        const asked = [market.finding(look)];
        for (const steps of moments) {
          live({ market, clock, ...desk }, steps, present);
          asked.push(market.finding(look));
          await slice();
        }
        while (slices.length > 0) await slice();
        await Promise.all(asked);

        expect(answers).toBe(moments.length + 1);
      }),
      { numRuns: 500 },
    );
  });

  test("is in order, whatever becomes of the agents while they are sorted", async () => {
    await fc.assert(
      fc.asyncProperty(
        someOrder,
        fc.integer({ min: 1, max: 36 }),
        someChanges,
        async (order, count, changes) => {
          const { market, put, remove, slice, slices } = openSliced(1_000);
          for (let nth = 0; nth < 36; nth += 1)
            put(aListing({ agentId: idOf(nth), price: eur(nth % 5) }));
          const whole = market.finding(() => foundIn(market, aFilter(), "ID", 1));
          while (slices.length > 0) await slice();
          await whole;
          const look = () => {
            const found = foundIn(market, aFilter(), order, count);
            expect(found).toEqual(plainIn(market, aFilter(), order, count));
          };

          const asked = market.finding(look);
          for (const those of changes) {
            for (const [nth, facts] of those) {
              if (facts === undefined) remove(idOf(nth));
              else put(aListing({ ...facts, agentId: idOf(nth) }));
            }
            await slice();
          }
          while (slices.length > 0) await slice();
          await asked;
        },
      ),
      { numRuns: 250 },
    );
  });

  test("is there before the first agents of an order have all been picked: nobody waits for it again", async () => {
    const { market, put, slice, slices } = openSliced(1_000);
    for (let nth = 0; nth < 64; nth += 1) put(aListing({ agentId: idOf(nth) }));
    const pick = (): Slot => {
      const [slot] = first(market.whole(aFilter()).walk("LOAD"), 1);
      market.picked(slot as Slot);
      return slot as Slot;
    };
    const begun = market.finding(pick);
    while (slices.length > 0) await slice();
    const picked = [await begun];

    for (let nth = 0; nth < 63; nth += 1) {
      expect(() => picked.push(pick())).not.toThrow(Wanted);
      while (slices.length > 0) await slice();
    }

    expect(new Set(picked).size).toBe(64);
  });
});
