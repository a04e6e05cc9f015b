import type { Listing, Price, State } from "./listing.ts";
import { reliabilityPpm, type Wanted } from "./reliability.ts";

/** Which agents are wanted; every condition that is set must hold. */
export interface Filter extends Wanted {
  readonly maxCost: Price | undefined;
  /** Undefined: any. */
  readonly states: readonly State[] | undefined;
  readonly minReliabilityPpm: number | undefined;
  readonly maxLatencyMs: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Why an agent that has the capabilities does not pass; each agent counts for the first that applies. */
export type Fault =
  | "unpriced"
  | "other_currency"
  | "over_max_cost"
  | "over_max_latency"
  | "below_min_reliability"
  | "other_labels"
  | "not_available";

/** The first condition, besides capabilities, that an agent does not meet; undefined when it passes. */
export function faultOf(listing: Listing, filter: Filter): Fault | undefined {
  const fault = filter.maxCost === undefined ? undefined : costFault(listing.price, filter.maxCost);
  if (fault !== undefined) return fault;
  const { maxLatencyMs, minReliabilityPpm, states } = filter;
  if (maxLatencyMs !== undefined && (listing.p95LatencyMs ?? Infinity) > maxLatencyMs) {
    return "over_max_latency";
  }
  if (minReliabilityPpm !== undefined && reliabilityPpm(listing, filter) < minReliabilityPpm) {
    return "below_min_reliability";
  }
  if (!hasLabels(listing, filter.labels)) return "other_labels";
  if (states !== undefined && !states.includes(listing.state)) return "not_available";
  return undefined;
}

/** Whether an agent has the capabilities that are wanted; everybody has none. */
export function hasCapabilities(listing: Listing, { capabilities, match }: Wanted): boolean {
  if (capabilities.length === 0) return true;
  const has = (capability: string): boolean => listing.capabilities.includes(capability);
  return match === "ALL" ? capabilities.every(has) : capabilities.some(has);
}

function costFault(price: Price | undefined, maxCost: Price): Fault | undefined {
  if (price === undefined) return "unpriced";
  if (price.currency !== maxCost.currency) return "other_currency";
  return price.micros > maxCost.micros ? "over_max_cost" : undefined;
}

function hasLabels(listing: Listing, labels: Filter["labels"]): boolean {
  for (const name in labels) if (listing.labels[name] !== labels[name]) return false;
  return true;
}
