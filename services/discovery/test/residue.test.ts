import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../src/filter.ts";
import type { Price } from "../src/listing.ts";
import { isOfOneCurrency } from "../src/market/orders.ts";
import type { View, ViewOrder } from "../src/market/view.ts";
import type { ViewLimits } from "../src/market/view-limits.ts";
import { aFilter, found, idsOf, openMarket, someFilter, someListing } from "./support/listing.ts";
import { isPassing } from "./support/model.ts";
import { seeded } from "./support/random.ts";
import { live, ORDERS, type Step, someSteps } from "./support/steps.ts";

const LIMITS: ViewLimits = {
  againMs: -1,
  askedMax: 100,
  viewsMax: 100,
  entriesMax: () => Infinity,
  firstMin: 2,
  atOnceMax: 0,
  sliceMax: 2,
  looksMax: 2,
  sampleMax: 3,
  briefMax: 3,
  followedMax: 100,
};

/** Few conditions, which many agents may meet. */
const someWide: fc.Arbitrary<Filter> = fc
  .array(
    fc.oneof(
      fc.record({ capabilities: fc.constantFrom(["python"], ["python", "rust"]) }),
      fc.record({ match: fc.constant("ANY" as const) }),
      fc.record({ maxCost: fc.constantFrom(priceOf(1n, "EUR"), priceOf(2n, "USD")) }),
      fc.record({ states: fc.constant(["ONLINE", "BUSY"] as const) }),
      fc.record({ minReliabilityPpm: fc.constantFrom(50_000, 500_000) }),
      fc.record({ maxLatencyMs: fc.constantFrom(10, 20) }),
      fc.record({ labels: fc.constant({ zone: "eu" }) }),
      fc.record({ words: fc.constant([1]) }),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((facts) => aFilter(Object.assign({}, ...facts)));

function priceOf(micros: bigint, currency: string): Price {
  return { micros, currency };
}

const someQuery = fc.oneof(someWide, someWide, someFilter);
const manyListings = fc.uniqueArray(someListing, {
  selector: ({ agentId }) => agentId,
  minLength: 12,
  maxLength: 40,
});
const someBeginning = fc
  .tuple(manyListings, someSteps)
  .map(([listings, steps]): Step[] => [{ kind: "put", listings }, ...steps]);

/** Looks at all and finds what it looks for in the end, or at few and gives up soon. */
const someLimits: fc.Arbitrary<ViewLimits> = fc
  .record({
    looksMax: fc.constantFrom(2, 1_000),
    sampleMax: fc.constantFrom(3, 1_000),
    againMs: fc.constantFrom(-1, Infinity),
    briefMax: fc.constantFrom(0, 3),
  })
  .map((facts) => ({ ...LIMITS, ...facts }));

/** The agents in an order, compared with what sifting anew finds. */
function walked(desk: ReturnType<typeof openMarket>, filter: Filter, order: ViewOrder) {
  const { market } = desk;
  return found(market, () => {
    const view = market.view(filter);
    return { view, ids: idsOf(market, view.walk(order)) };
  });
}

describe("among many agents a filter", () => {
  test("finds in each order whom sifting anew finds, after any changes", () => {
    fc.assert(
      fc.property(
        fc.array(someQuery, { minLength: 1, maxLength: 3 }),
        someBeginning,
        someSteps,
        someLimits,
        (filters, begin, steps, limits) => {
          const many = openMarket("many", { limits });
          const fresh = openMarket("sifted");
          const present = live(many, begin);
          live(fresh, begin);
          fresh.market.advance(fresh.clock.nowMs);
          for (const filter of filters) for (const order of ORDERS) walked(many, filter, order);

          live(fresh, steps, new Map(present));
          live(many, steps, present);

          for (const filter of filters) {
            const whole = fresh.market.whole(filter);
            for (const order of ORDERS) {
              const { view, ids } = walked(many, filter, order);
              const expected = idsOf(fresh.market, whole.walk(order));
              // In which currency most ask is estimated, too.
              const isSure = !isOfOneCurrency(order) || view.currency === whole.currency;
              expect(isSure ? ids : [...ids].sort(), order).toEqual(
                isSure ? expected : [...expected].sort(),
              );
              if (!view.isEstimate) expect(view.currency).toBe(whole.currency);
              if (!view.isEstimate) expect(view.size).toBe(whole.size);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("has the turns, the draws and the exclusions that its agents have", () => {
    fc.assert(
      fc.property(
        manyListings,
        someQuery,
        someLimits,
        fc.nat(4),
        fc.nat(99),
        (listings, filter, limits, few, seed) => {
          const { market, settle } = openMarket("many", { limits });
          settle(listings);
          const passing = listings
            .filter((one) => isPassing(one, filter))
            .map((one) => one.agentId);
          const excluded = passing.filter((_, nth) => nth % 5 < few);
          const left = passing.filter((id) => !excluded.includes(id)).sort();
          const look = <T>(use: (view: View) => T): T =>
            found(market, () => {
              const slots = excluded.flatMap((id) => market.slotOf(id) ?? []);
              return use(market.view(filter).without(slots));
            });

          for (const { agentId } of listings) {
            const ring = [
              ...left.filter((id) => id > agentId),
              ...left.filter((id) => id <= agentId),
            ];
            for (const count of [0, 1, 2, 100]) {
              const turns = look((view) => idsOf(market, view.turnsAfter(agentId, count)));
              expect(turns).toEqual(ring.slice(0, count));
            }
            const slot = market.slotOf(agentId) ?? -1;
            expect(look((view) => view.has(slot))).toBe(left.includes(agentId));
          }
          const drawn: number[] = [];
          for (const _id of left) drawn.push(look((view) => view.any(seeded(seed), drawn)));
          expect(idsOf(market, drawn).sort()).toEqual(left);
        },
      ),
    );
  });

  test("is answered by views that were made while the market changed", async () => {
    const some = fc.array(someSteps, { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(someQuery, someBeginning, some, async (filter, begin, between) => {
        const waiting: (() => void)[] = [];
        const later = (work: () => void) => waiting.push(work);
        const desk = openMarket("many", { limits: LIMITS, later, manyMin: 3 });
        const present = live(desk, begin);

        for (const isCounted of [false, true]) {
          let ids: readonly string[] | undefined;
          const asked = desk.market.finding(() => {
            const view = desk.market.whole(filter, isCounted);
            ids = idsOf(desk.market, view.walk("COST"));
            return desk.market.counts(view);
          });
          for (let nth = 0; ids === undefined; nth += 1) {
            live(desk, between[nth] ?? [], present);
            waiting.shift()?.();
            await Promise.resolve();
          }

          const fresh = openMarket("sifted");
          fresh.clock.nowMs = desk.clock.nowMs;
          fresh.market.hold(desk.clock.heldMs);
          fresh.settle(present.values());
          const whole = fresh.market.whole(filter);
          expect(ids).toEqual(idsOf(fresh.market, whole.walk("COST")));
          if (isCounted) expect(await asked).toEqual(fresh.market.counts(whole));
        }
      }),
      { numRuns: 300 },
    );
  });
});
