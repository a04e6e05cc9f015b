import type { Filter } from "./filter.ts";
import type { Listing } from "./listing.ts";
import type { Picks } from "./picks.ts";
import { reliabilityPpm } from "./reliability.ts";
import { byTurns, type Compare } from "./smallest.ts";

/** What it takes to compare agents for one selection. */
export interface Circumstances {
  readonly eligible: readonly Listing[];
  readonly filter: Filter;
  readonly picks: Picks;
  readonly nowMs: number;
}

/** Orders of preference at one moment; the first comes first. All are total: the last word is the id's. */
export interface Preferences {
  readonly leastLoaded: Compare<Listing>;
  readonly cheapest: Compare<Listing>;
  readonly best: Compare<Listing>;
  /** The only currency in which prices were compared; undefined when no agent has a price. */
  readonly currency: string | undefined;
  /** Tasks that an agent has under way: what it said, and what it was picked for since. */
  loadOf(listing: Listing): number;
}

/** The preferences among the eligible agents. */
export function preferences({ eligible, filter, picks, nowMs }: Circumstances): Preferences {
  const currency = filter.maxCost?.currency ?? prevailingCurrency(eligible);
  const loadOf = (listing: Listing): number =>
    listing.inFlight + picks.count(listing.agentId, nowMs, listing.reportedMs);

  const byLoad: Compare<Listing> = (a, b) => loadOf(a) - loadOf(b);
  const byPicks: Compare<Listing> = (a, b) =>
    picks.count(a.agentId, nowMs) - picks.count(b.agentId, nowMs);
  const byPrice: Compare<Listing> = (a, b) => comparePrices(a, b, currency);
  const byReliability: Compare<Listing> = (a, b) =>
    reliabilityPpm(b, filter) - reliabilityPpm(a, filter);
  const byId: Compare<Listing> = (a, b) =>
    a.agentId === b.agentId ? 0 : a.agentId < b.agentId ? -1 : 1;

  return {
    leastLoaded: byTurns(byLoad, byPicks, byPrice, byReliability, byId),
    cheapest: byTurns(byPrice, byReliability, byPicks, byId),
    best: byTurns(byReliability, byPrice, byPicks, byId),
    currency,
    loadOf,
  };
}

/** The currency that most of the agents ask, of equals the first by name. */
function prevailingCurrency(eligible: readonly Listing[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { price } of eligible) {
    if (price !== undefined) counts.set(price.currency, (counts.get(price.currency) ?? 0) + 1);
  }
  let prevailing: string | undefined;
  for (const [currency, count] of counts) {
    const most = prevailing === undefined ? 0 : (counts.get(prevailing) ?? 0);
    if (count > most || (count === most && prevailing !== undefined && currency < prevailing)) {
      prevailing = currency;
    }
  }
  return prevailing;
}

/** Prices in other currencies cannot be compared: they come after all that are in this one, and are equal. */
function comparePrices(a: Listing, b: Listing, currency: string | undefined): number {
  const left = a.price?.currency === currency ? a.price?.micros : undefined;
  const right = b.price?.currency === currency ? b.price?.micros : undefined;
  if (left === undefined || right === undefined) {
    return Number(left === undefined) - Number(right === undefined);
  }
  return left === right ? 0 : left < right ? -1 : 1;
}
