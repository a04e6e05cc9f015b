import fc from "fast-check";
import type { Filter } from "../../src/filter.ts";
import type { BreakerState, Listing } from "../../src/listing.ts";
import { Market, type MarketOptions } from "../../src/market/market.ts";
import type { Slot } from "../../src/market/ordered-set.ts";
import { Wanted } from "../../src/market/view.ts";

/** An ONLINE agent that can do `python` and has no price, no record and nothing to do. */
export function aListing(facts: Partial<Listing> = {}): Listing {
  return {
    agentId: "ada",
    capabilities: ["python"],
    price: undefined,
    state: "ONLINE",
    leaseEndMs: Infinity,
    inFlight: 0,
    reportedMs: -Infinity,
    capacityPerHour: 30,
    p95LatencyMs: undefined,
    scorePpm: 0,
    reliabilityPpm: new Map(),
    labels: new Map(),
    breakers: new Map(),
    createdMs: -Infinity,
    words: [],
    endpointScheme: undefined,
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
    words: [],
    endpointScheme: undefined,
    ...facts,
  };
}

/** The same pairs. */
export function mapOf(labels: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(labels));
}

/** EUR, by the cent. */
export function eur(cents: number): { readonly micros: bigint; readonly currency: string } {
  return { micros: BigInt(cents) * 10_000n, currency: "EUR" };
}

/** When the tests take place. */
export const NOON_MS = Date.parse("2026-11-01T12:00:00Z");

/**
 * How a market looks at a filter: anew each time, by a view that it keeps current, or as one that has too many agents
 * to look at all of them at once, so that `Market.finding` must be asked.
 */
export type Looking = "sifted" | "kept" | "many";
export const LOOKING: readonly Looking[] = ["sifted", "kept", "many"];

/** A market whose agents can be exchanged; the clock stands at noon unless it is moved. */
export function openMarket(looking: Looking = "sifted", options: Partial<MarketOptions> = {}) {
  /** Leases stand still at `heldMs`. */
  const clock = { nowMs: NOON_MS, heldMs: Infinity };
  const market = new Market({
    now: () => new Date(clock.nowMs),
    limits: {
      againMs: looking === "kept" ? Infinity : -1,
      askedMax: 100,
      viewsMax: 100,
      entriesMax: () => Infinity,
      firstMin: 2,
      followedMax: 100,
      atOnceMax: looking === "many" ? 0 : Infinity,
      looksMax: 2,
      sampleMax: 3,
      sliceMax: 2,
      briefMax: 3,
    },
    later: (work) => work(),
    ...options,
  });
  const slots = new Map<string, Slot>();
  const free: Slot[] = [];
  const desk = {
    clock,
    market,
    put(listing: Listing): Slot {
      const slot = slots.get(listing.agentId) ?? free.pop() ?? slots.size;
      slots.set(listing.agentId, slot);
      market.put(slot, listing);
      return slot;
    },
    remove(agentId: string): void {
      const slot = slots.get(agentId);
      if (slot === undefined) return;
      market.remove(slot);
      slots.delete(agentId);
      free.push(slot);
    },
    /** Makes these the agents of the market, and no others. */
    settle(listings: Iterable<Listing>): void {
      const all = [...listings];
      const stay = new Set(all.map(({ agentId }) => agentId));
      for (const agentId of [...slots.keys()]) if (!stay.has(agentId)) desk.remove(agentId);
      for (const listing of all) desk.put(listing);
    },
  };
  return desk;
}

/** A market of just these agents. */
export function aMarket(listings: Iterable<Listing>, looking?: Looking): Market {
  const { market, settle } = openMarket(looking);
  settle(listings);
  return market;
}

/** What `Market.finding` answers, at once: `later` must not wait. */
export function found<T>(market: Market, work: () => T): T {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      void market.views.make(error);
    }
  }
}

/** The ids of agents. */
export function idsOf({ agents }: Market, slots: Iterable<Slot>): string[] {
  return Array.from(slots, (slot) => agents.idOf(slot));
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

const breaker = fc.tuple(
  fc.constantFrom("python", "rust"),
  fc.constantFrom<BreakerState>("OPEN", "HALF_OPEN"),
);

/** Any agent, of few different values, so that ties are common. */
export const someListing = fc
  .record({
    agentId: fc.string({ unit: fc.constantFrom("a", "b", "C", "_", "-", "9"), minLength: 1 }),
    capabilities,
    price,
    state,
    inFlight: fc.nat(2),
    capacityPerHour: fc.constantFrom(1, 30),
    p95LatencyMs: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
    scorePpm: ppm,
    leaseEndMs: fc.constantFrom(Infinity, NOON_MS, NOON_MS + 1, NOON_MS + 1_000),
    labels: fc.constantFrom({}, { zone: "eu" }, { zone: "us", tier: "1" }).map(mapOf),
    words: fc.constantFrom([], [1], [2, 1]),
    endpointScheme: fc.constantFrom(undefined, "grpc", "https"),
    reliabilityPpm: fc.array(fc.tuple(fc.constantFrom("python", "rust"), ppm)),
    breakers: fc.oneof(fc.constant([]), fc.array(breaker)),
  })
  .map(({ reliabilityPpm, breakers, ...facts }) =>
    aListing({
      ...facts,
      reliabilityPpm: new Map(reliabilityPpm),
      breakers: new Map(breakers),
    }),
  );

/** Any agents, with different ids. */
export const someListings = fc.uniqueArray(someListing, {
  selector: ({ agentId }) => agentId,
  maxLength: 12,
});

/** Any filter. */
export const someFilter = fc
  .record({
    capabilities,
    match: fc.constantFrom("ALL", "ANY"),
    maxCost: price,
    states: fc.option(fc.uniqueArray(state), { nil: undefined }),
    minReliabilityPpm: fc.option(ppm, { nil: undefined }),
    maxLatencyMs: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
    labels: fc.constantFrom<Filter["labels"]>({}, {}, { zone: "eu" }),
    words: fc.constantFrom([], [], [1], [1, 2]),
    endpointScheme: fc.constantFrom(undefined, undefined, "grpc"),
  })
  .map(aFilter);
