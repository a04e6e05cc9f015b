import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { faultOf, hasCapabilities } from "../src/filter.ts";
import { sift } from "../src/market.ts";
import { aFilter, aListing, aMarket, eur, someFilter, someListings } from "./support/listing.ts";

describe("sifting the market", () => {
  test("finds exactly those that pass, however it looks for them", () => {
    fc.assert(
      fc.property(someListings, someFilter, (listings, filter) => {
        const { eligible } = sift(aMarket(listings), filter);

        const expected = listings.filter(
          (listing) => hasCapabilities(listing, filter) && faultOf(listing, filter) === undefined,
        );
        const ids = eligible.map(({ agentId }) => agentId);
        expect(ids.sort()).toEqual(expected.map(({ agentId }) => agentId).sort());
      }),
    );
  });

  test("counts each agent once: as eligible or by what kept it out", () => {
    fc.assert(
      fc.property(someListings, someFilter, (listings, filter) => {
        const excluded = new Set(listings.slice(0, 2).map(({ agentId }) => agentId));

        const { eligible, counts } = sift(aMarket(listings), filter, excluded);

        const { total, ...faults } = counts;
        const kept = Object.values(faults).reduce((sum, count) => sum + count, 0);
        expect(total).toBe(listings.length);
        expect(kept + eligible.length).toBe(listings.length);
        expect(eligible.some(({ agentId }) => excluded.has(agentId))).toBe(false);
      }),
    );
  });

  test("tells by what agents were kept out", () => {
    const market = aMarket([
      aListing({ agentId: "a", capabilities: ["rust"] }),
      aListing({ agentId: "b", price: eur(300) }),
      aListing({ agentId: "c", price: eur(300) }),
      aListing({ agentId: "d", price: eur(100), state: "BUSY" }),
      aListing({ agentId: "e", price: eur(100) }),
    ]);
    const filter = aFilter({ capabilities: ["python"], maxCost: eur(250), states: ["ONLINE"] });

    expect(sift(market, filter, new Set(["e"])).counts).toEqual({
      total: 5,
      missing_capability: 1,
      over_max_cost: 2,
      not_available: 1,
      excluded: 1,
    });
  });

  test("looks only at the agents that have the rarest of all the wanted capabilities", () => {
    const market = aMarket([
      aListing({ agentId: "a", capabilities: ["python", "rust"] }),
      aListing({ agentId: "b", capabilities: ["python"] }),
      aListing({ agentId: "c", capabilities: ["python"] }),
    ]);
    const asked: string[] = [];
    const watched = {
      ...market,
      size: market.size,
      holders(capability: string) {
        asked.push(capability);
        return market.holders(capability);
      },
    };

    sift(watched, aFilter({ capabilities: ["python", "rust"] }));

    expect(asked).toEqual(["rust"]);
  });
});
