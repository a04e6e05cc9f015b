import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../src/filter.ts";
import type { Market } from "../src/market/market.ts";
import {
  aFilter,
  aListing,
  aMarket,
  eur,
  idsOf,
  someFilter,
  someListings,
} from "./support/listing.ts";
import { isPassing } from "./support/model.ts";

/** The ids of those who pass, in the order of ids, as the market sees them when it is asked that often. */
function eligible(market: Market, filter: Filter, times = 1): readonly string[] {
  for (let time = 1; time < times; time += 1) market.whole(filter);
  const view = market.whole(filter);
  return idsOf(
    market,
    Array.from({ length: view.size }, (_, rank) => view.at(rank)),
  );
}

describe.each([1, 2])("a market that is asked for the %i. time", (times) => {
  test("finds exactly those that pass, however it looks for them", () => {
    fc.assert(
      fc.property(someListings, someFilter, (listings, filter) => {
        const found = eligible(aMarket(listings, "kept"), filter, times);

        const expected = listings.filter((listing) => isPassing(listing, filter));
        expect(found).toEqual(expected.map(({ agentId }) => agentId).sort());
      }),
    );
  });

  test("counts each agent once: as eligible or by what kept it out", () => {
    fc.assert(
      fc.property(someListings, someFilter, (listings, filter) => {
        const excluded = new Set(listings.slice(0, 2).map(({ agentId }) => agentId));
        const market = aMarket(listings, "kept");

        const passing = eligible(market, filter, times).filter((id) => !excluded.has(id));
        const counts = market.counts(market.whole(filter), excluded);

        const { total, ...faults } = counts;
        const kept = Object.values(faults).reduce((sum, count) => sum + count, 0);
        expect(total).toBe(listings.length);
        expect(kept + passing.length).toBe(listings.length);
      }),
    );
  });

  test("tells by what agents were kept out", () => {
    const market = aMarket(
      [
        aListing({ agentId: "a", capabilities: ["rust"] }),
        aListing({ agentId: "b", price: eur(300) }),
        aListing({ agentId: "c", price: eur(300) }),
        aListing({ agentId: "d", price: eur(100), state: "BUSY" }),
        aListing({ agentId: "e", price: eur(100) }),
      ],
      "kept",
    );
    const filter = aFilter({ capabilities: ["python"], maxCost: eur(250), states: ["ONLINE"] });
    eligible(market, filter, times);

    expect(market.counts(market.whole(filter), new Set(["e", "nobody"]))).toEqual({
      total: 5,
      missing_capability: 1,
      over_max_cost: 2,
      not_available: 1,
      excluded: 1,
    });
  });
});
