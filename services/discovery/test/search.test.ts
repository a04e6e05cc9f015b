import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Listing } from "../src/listing.ts";
import { Ability } from "../src/market/ability.ts";
import type { Market } from "../src/market/market.ts";
import { placeOf } from "../src/market/orders.ts";
import { comparePlaces, type Order, parsePlace } from "../src/order.ts";
import { type Search, search } from "../src/search.ts";
import {
  aFilter,
  aListing,
  aMarket,
  eur,
  idsOf,
  openMarket,
  someFilter,
  someListings,
} from "./support/listing.ts";
import { isPassing, plainPlaceOf } from "./support/model.ts";

const ORDERS = ["COST", "RELIABILITY", "SCORE", "AVAILABILITY"] as const;
const someOrder = fc.constantFrom(...ORDERS);
const sure = (ppm: number) => new Map([["python", ppm]]);

function ids(listings: readonly Listing[]): readonly string[] {
  return listings.map(({ agentId }) => agentId);
}

/** A page, with the ids of its agents. */
function pageOf(market: Market, asked: Search) {
  const page = search(market, asked);
  return { ...page, ids: idsOf(market, page.slots) };
}

/** The ids of a search for python, in order, in one page. */
function sorted(listings: readonly Listing[], order: Order): readonly string[] {
  const filter = aFilter({ capabilities: ["python"] });
  return pageOf(aMarket(listings), { filter, order, pageSize: 100, pageToken: "" }).ids;
}

describe("the order", () => {
  test("COST is by price, then reliability, then availability, then id, and the unpriced last", () => {
    const listings = [
      aListing({ agentId: "unpriced", reliabilityPpm: sure(999_999) }),
      aListing({ agentId: "dear", price: eur(300), reliabilityPpm: sure(900_000) }),
      aListing({ agentId: "z", price: eur(200), reliabilityPpm: sure(500_000) }),
      aListing({ agentId: "a", price: eur(200), reliabilityPpm: sure(500_000) }),
      aListing({
        agentId: "off",
        price: eur(200),
        reliabilityPpm: sure(500_000),
        state: "OFFLINE",
      }),
      aListing({
        agentId: "main",
        price: eur(200),
        reliabilityPpm: sure(500_000),
        state: "MAINTENANCE",
      }),
      aListing({ agentId: "busy", price: eur(200), reliabilityPpm: sure(500_000), state: "BUSY" }),
      aListing({
        agentId: "surer",
        price: eur(200),
        reliabilityPpm: sure(600_000),
        state: "OFFLINE",
      }),
    ];

    expect(sorted(listings, "COST")).toEqual([
      "surer",
      "a",
      "z",
      "busy",
      "main",
      "off",
      "dear",
      "unpriced",
    ]);
  });

  test("COST keeps currencies apart", () => {
    const listings = [
      aListing({ agentId: "usd-1", price: { micros: 1n, currency: "USD" } }),
      aListing({ agentId: "eur-2", price: { micros: 2n, currency: "EUR" } }),
      aListing({ agentId: "eur-1", price: { micros: 1n, currency: "EUR" } }),
    ];

    expect(sorted(listings, "COST")).toEqual(["eur-1", "eur-2", "usd-1"]);
  });

  test("RELIABILITY is by the lower bound at what is wanted, then by cost", () => {
    const listings = [
      aListing({ agentId: "newcomer", price: eur(1) }),
      aListing({ agentId: "dear", price: eur(300), reliabilityPpm: sure(800_000) }),
      aListing({ agentId: "cheap", price: eur(200), reliabilityPpm: sure(800_000) }),
    ];

    expect(sorted(listings, "RELIABILITY")).toEqual(["cheap", "dear", "newcomer"]);
  });

  test("SCORE is by the score, then by cost", () => {
    const listings = [
      aListing({ agentId: "low", scorePpm: 1_000_000, price: eur(1) }),
      aListing({ agentId: "dear", scorePpm: 4_000_000, price: eur(300) }),
      aListing({ agentId: "cheap", scorePpm: 4_000_000, price: eur(200) }),
    ];

    expect(sorted(listings, "SCORE")).toEqual(["cheap", "dear", "low"]);
  });

  test("AVAILABILITY is by state, then capacity, then score", () => {
    const listings = [
      aListing({ agentId: "busy", state: "BUSY", capacityPerHour: 900 }),
      aListing({ agentId: "low", scorePpm: 1 }),
      aListing({ agentId: "high", scorePpm: 2 }),
      aListing({ agentId: "wide", capacityPerHour: 60 }),
    ];

    expect(sorted(listings, "AVAILABILITY")).toEqual(["wide", "high", "low", "busy"]);
  });

  test("of any two agents is decided, and survives being written down", () => {
    fc.assert(
      fc.property(someListings, someFilter, someOrder, (listings, filter, order) => {
        const { market, put } = openMarket();
        const ability = new Ability(market.agents, filter);
        const places = listings.map((listing) =>
          placeOf(order, market.agents, ability, put(listing)),
        );
        expect(places).toEqual(listings.map((listing) => plainPlaceOf(listing, order, filter)));

        for (const [index, a] of places.entries()) {
          expect(parsePlace(order, a.map(String))).toEqual(a);
          for (const [other, b] of places.entries()) {
            const sign = comparePlaces(a, b);
            expect(sign === 0).toBe(index === other);
            expect(comparePlaces(b, a)).toBe(sign === 0 ? 0 : -sign);
          }
        }
      }),
    );
  });
});

describe.each(["sifted", "kept"] as const)("pages of a view that is %s", (looking) => {
  function walk(listings: readonly Listing[], order: Order, pageSize: number): readonly string[] {
    const market = aMarket(listings, looking);
    const found: string[] = [];
    let pageToken = "";
    do {
      const page = pageOf(market, { filter: aFilter(), order, pageSize, pageToken });
      found.push(...page.ids);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  test("put together are the whole search, in order", () => {
    fc.assert(
      fc.property(
        someListings,
        someOrder,
        fc.integer({ min: 1, max: 5 }),
        (listings, order, size) => {
          expect(walk(listings, order, size)).toEqual(walk(listings, order, 100));
        },
      ),
    );
  });

  test("show everybody who stays exactly once, whoever comes or goes meanwhile", () => {
    fc.assert(
      fc.property(someListings, someListings, someOrder, (before, others, order) => {
        const stay = before.filter((_listing, index) => index % 3 > 0);
        const names = new Set(ids(before));
        const come = others.filter(({ agentId }) => !names.has(agentId));
        const { market, settle } = openMarket(looking);
        const find = (listings: readonly Listing[], pageSize: number, pageToken: string) => {
          settle(listings);
          return pageOf(market, { filter: aFilter(), order, pageSize, pageToken });
        };

        const first = find(before, 3, "");
        const rest =
          first.nextPageToken === "" ? [] : find([...stay, ...come], 100, first.nextPageToken).ids;

        const seen = [...first.ids, ...rest];
        expect(new Set(seen).size).toBe(seen.length);
        if (first.nextPageToken !== "")
          expect(seen).toEqual(expect.arrayContaining([...ids(stay)]));
      }),
    );
  });

  test("tell how many pass in all, and end without a token", () => {
    const listings = ["a", "b", "c", "d"].map((agentId) => aListing({ agentId }));
    const ask = { filter: aFilter(), order: "COST" as const, pageSize: 2 };

    const market = aMarket(listings, looking);

    const first = search(market, { ...ask, pageToken: "" });
    const second = search(market, { ...ask, pageToken: first.nextPageToken });

    expect(first).toMatchObject({ view: { size: 4 }, nextPageToken: expect.stringMatching(/./) });
    expect(second).toMatchObject({ view: { size: 4 }, nextPageToken: "" });
  });

  test("refuse the token of another filter, of another order, or no token at all", () => {
    const market = aMarket(["a", "b"].map((agentId) => aListing({ agentId })));
    const ask = { filter: aFilter(), order: "COST" as const, pageSize: 1 };
    const { nextPageToken: pageToken } = search(market, { ...ask, pageToken: "" });
    const refused = expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" });

    const other = { ...ask, filter: aFilter({ states: ["ONLINE"] }), pageToken };
    expect(() => search(market, other)).toThrow(refused);
    expect(() => search(market, { ...ask, order: "SCORE", pageToken })).toThrow(refused);
    expect(() => search(market, { ...ask, pageToken: "nonsense" })).toThrow(refused);
  });

  test("of any filter hold only agents that pass it", () => {
    fc.assert(
      fc.property(someListings, someFilter, someOrder, (listings, filter, order) => {
        const market = aMarket(listings, looking);
        const page = pageOf(market, { filter, order, pageSize: 100, pageToken: "" });

        const passing = listings.filter((listing) => isPassing(listing, filter));
        expect([...page.ids].sort()).toEqual([...ids(passing)].sort());
      }),
    );
  });
});
