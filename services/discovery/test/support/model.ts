import type { Fault, Filter } from "../../src/filter.ts";
import { type Listing, STATE_RANK } from "../../src/listing.ts";
import type { Order, Place } from "../../src/order.ts";
import { UNPROVEN_PPM, type Wanted } from "../../src/reliability.ts";
import { NOON_MS } from "./listing.ts";

/** Whether an agent has the capabilities that are wanted, told the plain way. */
export function isAble({ capabilities: own }: Listing, { capabilities, match }: Wanted): boolean {
  if (capabilities.length === 0) return true;
  return match === "ALL"
    ? capabilities.every((name) => own.includes(name))
    : capabilities.some((name) => own.includes(name));
}

/** How surely it does what is wanted, told the plain way. */
export function surenessOf(listing: Listing, { capabilities, match }: Wanted): number {
  const own = listing.capabilities;
  const held = capabilities.length === 0 ? own : own.filter((name) => capabilities.includes(name));
  const bounds = held.map((name) => listing.reliabilityPpm.get(name) ?? UNPROVEN_PPM);
  if (bounds.length === 0) return UNPROVEN_PPM;
  return match === "ALL" && capabilities.length > 0 ? Math.min(...bounds) : Math.max(...bounds);
}

/** What keeps an agent out that is able, told the plain way. */
export function plainFaultOf(listing: Listing, filter: Filter, nowMs = NOON_MS): Fault | undefined {
  const { maxCost, states, minReliabilityPpm = 0, maxLatencyMs, labels } = filter;
  const { price, p95LatencyMs = Infinity } = listing;
  if (maxCost !== undefined) {
    if (price === undefined) return "unpriced";
    if (price.currency !== maxCost.currency) return "other_currency";
    if (price.micros > maxCost.micros) return "over_max_cost";
  }
  if (maxLatencyMs !== undefined && p95LatencyMs > maxLatencyMs) return "over_max_latency";
  if (surenessOf(listing, filter) < minReliabilityPpm) return "below_min_reliability";
  const wrong = Object.keys(labels).filter((name) => listing.labels.get(name) !== labels[name]);
  if (wrong.length > 0) return "other_labels";
  if (filter.words.some((word) => !listing.words.includes(word))) return "other_text";
  const { endpointScheme: scheme } = filter;
  if (scheme !== undefined && listing.endpointScheme !== scheme) return "other_endpoint";
  const state = stateOf(listing, nowMs);
  if (states === undefined) return undefined;
  if (!states.includes(state)) return "not_available";
  return isBroken(listing, filter) ? "breaker_open" : undefined;
}

/** Whether breakers keep an agent from what is wanted, told the plain way. */
function isBroken(listing: Listing, { capabilities, match }: Wanted): boolean {
  const held = capabilities.filter((name) => listing.capabilities.includes(name));
  const open = held.filter((name) => listing.breakers.get(name) === "OPEN");
  return match === "ALL" ? open.length > 0 : held.length > 0 && open.length === held.length;
}

/** Whether an agent passes a filter, told the plain way. */
export function isPassing(listing: Listing, filter: Filter, nowMs = NOON_MS): boolean {
  return isAble(listing, filter) && plainFaultOf(listing, filter, nowMs) === undefined;
}

/** Where an agent stands in a search, told the plain way. */
export function plainPlaceOf(
  listing: Listing,
  order: Order,
  filter: Filter,
  nowMs = NOON_MS,
): Place {
  const { agentId, price, scorePpm, capacityPerHour } = listing;
  const state = STATE_RANK[stateOf(listing, nowMs)];
  const sureness = 0 - surenessOf(listing, filter);
  const cost = price === undefined ? [1, "", 0] : [0, price.currency, Number(price.micros)];
  switch (order) {
    case "COST":
      return [...cost, sureness, state, agentId];
    case "RELIABILITY":
      return [sureness, ...cost, agentId];
    case "SCORE":
      return [0 - scorePpm, ...cost, agentId];
    case "AVAILABILITY":
      return [state, 0 - capacityPerHour, 0 - scorePpm, agentId];
    case "ID":
      return [agentId];
  }
}

/** The state of an agent at a moment. */
export function stateOf({ state, leaseEndMs }: Listing, nowMs: number): Listing["state"] {
  return leaseEndMs <= nowMs ? "OFFLINE" : state;
}
