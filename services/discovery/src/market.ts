import { type Fault, type Filter, faultOf } from "./filter.ts";
import type { Listing } from "./listing.ts";
import type { Wanted } from "./reliability.ts";

/** All registered agents, at hand without waiting. */
export interface Market {
  readonly size: number;
  all(): Iterable<Listing>;
  /** The agents that have a capability. */
  holders(capability: string): Iterable<Listing>;
  /** How many those are, without looking at them. */
  countOf(capability: string): number;
  capabilities(): Iterable<string>;
}

/** Who passes a filter, and how many do not, by what. */
export interface Sifted {
  readonly eligible: readonly Listing[];
  /** `total` and, for each reason that applied, how many it kept out; they sum to `total` with the eligible ones. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Sifts the market by a filter; looks only at the agents that have the rarest of the wanted capabilities (or any of
 * them, if one will do).
 */
export function sift(
  market: Market,
  filter: Filter,
  excluded: ReadonlySet<string> = NOBODY,
): Sifted {
  const eligible: Listing[] = [];
  const faults = new Map<Fault | "excluded", number>();
  let able = 0;
  for (const listing of candidates(market, filter)) {
    able += 1;
    const fault = excluded.has(listing.agentId) ? "excluded" : faultOf(listing, filter);
    if (fault === undefined) eligible.push(listing);
    else faults.set(fault, (faults.get(fault) ?? 0) + 1);
  }
  const missing = market.size - able;
  const counts: Record<string, number> = { total: market.size };
  if (missing > 0) counts["missing_capability"] = missing;
  for (const [fault, count] of faults) counts[fault] = count;
  return { eligible, counts };
}

const NOBODY: ReadonlySet<string> = new Set();

/** The agents that have the wanted capabilities, each once. */
export function* candidates(market: Market, wanted: Wanted): Generator<Listing, void, undefined> {
  const { capabilities, match } = wanted;
  const [first] = capabilities;
  if (first === undefined) return yield* market.all();
  if (capabilities.length === 1) return yield* market.holders(first);
  if (match === "ANY") return yield* unionOf(market, capabilities);

  let rarest = first;
  for (const capability of capabilities) {
    if (market.countOf(capability) < market.countOf(rarest)) rarest = capability;
  }
  const others = capabilities.filter((capability) => capability !== rarest);
  for (const listing of market.holders(rarest)) {
    if (others.every((capability) => listing.capabilities.includes(capability))) yield listing;
  }
}

function* unionOf(market: Market, capabilities: readonly string[]): Generator<Listing> {
  const seen = new Set<string>();
  for (const capability of capabilities) {
    for (const listing of market.holders(capability)) {
      if (seen.has(listing.agentId)) continue;
      seen.add(listing.agentId);
      yield listing;
    }
  }
}
