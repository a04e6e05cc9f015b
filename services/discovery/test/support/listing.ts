import fc from "fast-check";
import type { Filter } from "../../src/filter.ts";
import type { Listing } from "../../src/listing.ts";
import type { Market } from "../../src/market.ts";

/** An ONLINE agent that can do `python` and has no price, no record and nothing to do. */
export function aListing(facts: Partial<Listing> = {}): Listing {
  return {
    agentId: "ada",
    capabilities: ["python"],
    endpoint: undefined,
    price: undefined,
    state: "ONLINE",
    inFlight: 0,
    reportedMs: -Infinity,
    capacityPerHour: 30,
    p95LatencyMs: undefined,
    scorePpm: 0,
    reliabilityPpm: new Map(),
    labels: {},
    ...facts,
  };
}

/** A filter that lets everybody pass. */
export function aFilter(facts: Partial<Filter> = {}): Filter {
  return {
    capabilities: [],
    match: "ALL",
    maxCost: undefined,
    states: undefined,
    minReliabilityPpm: undefined,
    maxLatencyMs: undefined,
    labels: {},
    ...facts,
  };
}

/** EUR, by the cent. */
export function eur(cents: number): { readonly micros: bigint; readonly currency: string } {
  return { micros: BigInt(cents) * 10_000n, currency: "EUR" };
}

/** A market of just these agents, which can be exchanged. */
export function aMarket(listings: Iterable<Listing>): Market {
  const all = [...listings];
  const holders = (capability: string) =>
    all.filter(({ capabilities }) => capabilities.includes(capability));
  return {
    get size() {
      return all.length;
    },
    all: () => all,
    holders,
    countOf: (capability) => holders(capability).length,
    capabilities: () => new Set(all.flatMap(({ capabilities }) => capabilities)),
  };
}

const capabilities = fc.uniqueArray(fc.constantFrom("python", "rust", "sql"), { maxLength: 3 });
const price = fc.option(
  fc.record({
    micros: fc.bigInt({ min: 0n, max: 3n }),
    currency: fc.constantFrom("EUR", "USD"),
  }),
  { nil: undefined },
);
const state = fc.constantFrom("ONLINE", "BUSY", "MAINTENANCE", "OFFLINE");
const ppm = fc.constantFrom(0, 500_000, 900_000);

/** Any agents, with different ids and few different values, so that ties are common. */
export const someListings = fc.uniqueArray(
  fc
    .record({
      agentId: fc.string({ unit: fc.constantFrom("a", "b", "C", "_", "-", "9"), minLength: 1 }),
      capabilities,
      price,
      state,
      inFlight: fc.nat(2),
      capacityPerHour: fc.constantFrom(1, 30),
      p95LatencyMs: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
      scorePpm: ppm,
      reliabilityPpm: fc.array(fc.tuple(fc.constantFrom("python", "rust"), ppm)),
    })
    .map(({ reliabilityPpm, ...facts }) =>
      aListing({ ...facts, reliabilityPpm: new Map(reliabilityPpm) }),
    ),
  { selector: ({ agentId }) => agentId, maxLength: 12 },
);

/** Any filter. */
export const someFilter = fc
  .record({
    capabilities,
    match: fc.constantFrom("ALL", "ANY"),
    maxCost: price,
    states: fc.option(fc.uniqueArray(state), { nil: undefined }),
    minReliabilityPpm: fc.option(ppm, { nil: undefined }),
    maxLatencyMs: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
  })
  .map(aFilter);
