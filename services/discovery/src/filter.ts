import type { Price, State } from "./listing.ts";
import type { Wanted } from "./reliability.ts";

/** Which agents are wanted; every condition that is set must hold. */
export interface Filter extends Wanted {
  readonly maxCost: Price | undefined;
  /** Undefined: any. When set, an agent whose breaker is open does not pass either. */
  readonly states: readonly State[] | undefined;
  readonly minReliabilityPpm: number | undefined;
  readonly maxLatencyMs: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Words it must all be found by, as `wordsOf` tells; sorted. */
  readonly words: readonly number[];
  /** The scheme that the URI of its endpoint must have; undefined: it may have no endpoint. */
  readonly endpointScheme: string | undefined;
}

/** Why an agent that has the capabilities does not pass; each agent counts for the first that applies. */
export type Fault =
  | "unpriced"
  | "other_currency"
  | "over_max_cost"
  | "over_max_latency"
  | "below_min_reliability"
  | "other_labels"
  | "other_text"
  | "other_endpoint"
  | "not_available"
  | "breaker_open";

/** Names a filter: filters whose lists are sorted have one name exactly when they mean the same. */
export function filterKey(filter: Filter): string {
  const { capabilities, match, maxCost, states, minReliabilityPpm, maxLatencyMs } = filter;
  const { labels, words, endpointScheme } = filter;
  // Of one capability ANY means what ALL means.
  const any = match === "ANY" && capabilities.length > 1 ? "any" : "";
  const cost = maxCost === undefined ? "" : `${maxCost.micros}${maxCost.currency}`;
  // A capability may hold any character, so each says how long it is; the rest cannot hold a `|`.
  let start = "";
  for (const capability of capabilities) start += `${capability.length}:${capability} `;
  start += `${any}|${cost}|${states?.join(",") ?? "*"}`;
  const terms = `${minReliabilityPpm ?? ""}|${maxLatencyMs ?? ""}|${words.join(",")}`;
  const key = `${start}|${terms}|${endpointScheme ?? ""}`;
  for (const _name in labels) return `${key}|${JSON.stringify(labels)}`;
  return key;
}
