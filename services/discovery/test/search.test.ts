import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter } from "../src/filter.ts";
import type { Listing } from "../src/listing.ts";
import { Ability } from "../src/market/ability.ts";
import type { Market } from "../src/market/market.ts";
import { placeOf } from "../src/market/orders.ts";
import { comparePlaces, type Order, type Place, parsePlace } from "../src/order.ts";
import { type Search, search } from "../src/search.ts";
import {
  aFilter,
  aListing,
  aMarket,
  eur,
  found,
  idsOf,
  LOOKING,
  openMarket,
  someFilter,
  someListing,
  someListings,
} from "./support/listing.ts";
import { isPassing, plainPlaceOf } from "./support/model.ts";

const ORDERS = ["COST", "RELIABILITY", "SCORE", "AVAILABILITY", "ID"] as const;
const someOrder = fc.constantFrom(...ORDERS);
const sure = (ppm: number) => new Map([["python", ppm]]);

function ids(listings: readonly Listing[]): readonly string[] {
  return listings.map(({ agentId }) => agentId);
}

/** A page, with the ids of its agents. */
function pageOf(market: Market, asked: Search) {
  const page = found(market, () => search(market, asked));
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

  test("ID is by id, in the order of its bytes", () => {
    const listings = ["b", "a", "-", "B", "_", "9"].map((agentId) => aListing({ agentId }));

    expect(sorted(listings, "ID")).toEqual(["-", "9", "B", "_", "a", "b"]);
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

/** A search of which page after page is asked for, while agents change, come and go and time passes between them. */
interface Leafing {
  readonly order: Order;
  readonly filter: Filter;
  readonly agents: Readonly<Record<string, Listing>>;
  readonly changes: readonly {
    readonly pageSize: number;
    readonly agents: Readonly<Record<string, Listing | undefined>>;
    readonly waitMs: number;
  }[];
}

/** A page, where each agent that passed stood then, and where it ends: nowhere when it is the last. */
interface Leaf {
  readonly ids: readonly string[];
  readonly standing: ReadonlyMap<string, Place>;
  readonly end: Place | undefined;
}

const someNames = fc.constantFrom(..."aBc_-D9e");
const someChange = fc.record({
  pageSize: fc.integer({ min: 1, max: 2 }),
  agents: fc.dictionary(someNames, fc.option(someListing, { nil: undefined, freq: 10 })),
  waitMs: fc.constantFrom(0, 1, 1_000),
});
const someLeafing: fc.Arbitrary<Leafing> = fc.record({
  order: someOrder,
  // One of two lets everybody pass, whatever changes.
  filter: fc.oneof(fc.constant(aFilter()), someFilter),
  agents: fc.dictionary(someNames, someListing, { minKeys: 4 }),
  changes: fc.array(someChange, { maxLength: 8 }),
});

/** Those that passed whenever a page was asked for. */
function throughout(pages: readonly Leaf[]): readonly string[] {
  const [first] = pages;
  return [...(first?.standing.keys() ?? [])].filter((agentId) =>
    pages.every(({ standing }) => standing.has(agentId)),
  );
}

function countOf(pages: readonly Leaf[], agentId: string): number {
  return pages.flatMap(({ ids }) => ids).filter((id) => id === agentId).length;
}

/** 1 for an agent that stands at the end of a page or before it, else 0. */
function isBehind(standing: Leaf["standing"], agentId: string, end: Place | undefined): number {
  return end === undefined || comparePlaces(standing.get(agentId) ?? [], end) <= 0 ? 1 : 0;
}

describe.each(LOOKING)("pages of a view that is %s", (looking) => {
  function walk(listings: readonly Listing[], order: Order, pageSize: number): readonly string[] {
    const market = aMarket(listings, looking);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = pageOf(market, { filter: aFilter(), order, pageSize, pageToken });
      seen.push(...page.ids);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }

  /** Asks for page after page; the changes happen between them, until there are no more. */
  function leaf({ order, filter, agents, changes }: Leafing): readonly Leaf[] {
    const desk = openMarket(looking);
    const present = new Map<string, Listing>();
    const change = ([agentId, listing]: readonly [string, Listing | undefined]) => {
      present.delete(agentId);
      if (listing === undefined) return desk.remove(agentId);
      present.set(agentId, { ...listing, agentId });
      desk.put({ ...listing, agentId });
    };
    Object.entries(agents).forEach(change);
    const pages: Leaf[] = [];
    let pageToken = "";
    do {
      const { pageSize = 2, agents: changed = {}, waitMs = 0 } = changes[pages.length] ?? {};
      const { nowMs } = desk.clock;
      const passing = [...present.values()].filter((each) => isPassing(each, filter, nowMs));
      const standing = new Map(
        passing.map((each) => [each.agentId, plainPlaceOf(each, order, filter, nowMs)]),
      );
      const page = pageOf(desk.market, { filter, order, pageSize, pageToken });
      pageToken = page.nextPageToken;
      const end = pageToken === "" ? undefined : standing.get(page.ids.at(-1) ?? "");
      pages.push({ ids: page.ids, end, standing });
      Object.entries(changed).forEach(change);
      desk.clock.nowMs += waitMs;
    } while (pageToken !== "");
    return pages;
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

  test("hold whoever passes throughout once, more for each move behind them, less for each move ahead", () => {
    fc.assert(
      fc.property(someLeafing, (asked) => {
        const pages = leaf(asked);

        for (const agentId of throughout(pages)) {
          const sides = pages.map(({ end, standing }, nth) => {
            const next = pages[nth + 1]?.standing ?? standing;
            return isBehind(standing, agentId, end) - isBehind(next, agentId, end);
          });
          const moves = sides.reduce((sum, move) => sum + move, 0);
          expect(countOf(pages, agentId), agentId).toBe(1 + moves);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("hold whoever passes throughout and keeps its place exactly once", () => {
    fc.assert(
      fc.property(someLeafing, (asked) => {
        const pages = leaf(asked);

        for (const agentId of throughout(pages)) {
          const places = pages.map(({ standing }) => String(standing.get(agentId)));
          if (new Set(places).size === 1) expect(countOf(pages, agentId), agentId).toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("by ID hold whoever passes throughout exactly once, and nobody twice", () => {
    fc.assert(
      fc.property(someLeafing, (asked) => {
        const pages = leaf({ ...asked, order: "ID" });

        const seen = pages.flatMap((page) => page.ids);
        expect(seen).toEqual([...new Set(seen)].sort());
        expect(seen).toEqual(expect.arrayContaining([...throughout(pages)]));
      }),
      { numRuns: 500 },
    );
  });

  test("tell how many pass in all, and end without a token", () => {
    const listings = ["a", "b", "c", "d"].map((agentId) => aListing({ agentId }));
    const ask = { filter: aFilter(), order: "COST" as const, pageSize: 2 };

    const market = aMarket(listings, looking);

    const first = pageOf(market, { ...ask, pageToken: "" });
    const second = pageOf(market, { ...ask, pageToken: first.nextPageToken });

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
