import {
  type AgentFilter,
  type CandidatePartsSchema,
  CapabilityMatch,
  SearchOrder,
  type SelectAgentRequest,
  SelectionStrategy,
  type SlotRequest,
  type SlowStart as SlowStartMessage,
  type WatchCandidatesRequest,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Strategy } from "./choice.ts";
import type { Parts } from "./explanation.ts";
import type { Filter } from "./filter.ts";
import type { Price, State } from "./listing.ts";
import type { ViewOrder } from "./market/view.ts";
import type { Order } from "./order.ts";
import { PPM } from "./reliability.ts";
import type { Selection } from "./selection.ts";
import type { SlowStart } from "./slow-start.ts";
import type { Watch } from "./watch/watches.ts";
import { wordsOf } from "./words.ts";

const STATES: Readonly<Record<number, State>> = {
  [AvailabilityState.ONLINE]: "ONLINE",
  [AvailabilityState.BUSY]: "BUSY",
  [AvailabilityState.OFFLINE]: "OFFLINE",
  [AvailabilityState.MAINTENANCE]: "MAINTENANCE",
};

const ORDERS: Readonly<Record<number, Order>> = {
  [SearchOrder.COST]: "COST",
  [SearchOrder.RELIABILITY]: "RELIABILITY",
  [SearchOrder.SCORE]: "SCORE",
  [SearchOrder.AVAILABILITY]: "AVAILABILITY",
  [SearchOrder.ID]: "ID",
};

const STRATEGIES: Readonly<Record<number, Strategy>> = {
  [SelectionStrategy.ROUND_ROBIN]: "ROUND_ROBIN",
  [SelectionStrategy.LEAST_LOADED]: "LEAST_LOADED",
  [SelectionStrategy.RANDOM]: "RANDOM",
  [SelectionStrategy.CHEAPEST]: "CHEAPEST",
  [SelectionStrategy.BEST]: "BEST",
  [SelectionStrategy.WEIGHTED]: "WEIGHTED",
  [SelectionStrategy.POWER_OF_TWO]: "POWER_OF_TWO",
  [SelectionStrategy.FASTEST]: "FASTEST",
};

/** The order of a search; by cost unless another is asked for. */
export function orderOf(order: SearchOrder): Order {
  return ORDERS[order] ?? "COST";
}

/** The strategy of a selection; by turns unless another is asked for. */
export function strategyOf(strategy: SelectionStrategy): Strategy {
  return STRATEGIES[strategy] ?? "ROUND_ROBIN";
}

/** A state; one that this release does not know takes no work. */
export function stateOf(state: number): State {
  return STATES[state] ?? "OFFLINE";
}

/** Reads what a selection asks for; ONLINE agents unless its filter names states. */
export function selectionOf(request: SelectAgentRequest): Selection {
  return {
    filter: filterOf(request.filter, ["ONLINE"]),
    strategy: strategyOf(request.strategy),
    alternates: request.alternates,
    excluded: new Set(request.excludeAgentIds),
    slowStart: request.slowStart && slowStartOf(request.slowStart),
    panicThreshold: request.panicThreshold,
    explorationShare: request.explorationShare,
  };
}

/** Reads what is to be followed; ONLINE agents unless its filter names states. */
export function watchOf({ filter, strategy, count, ringStart }: WatchCandidatesRequest): Watch {
  return {
    filter: filterOf(filter, ["ONLINE"]),
    order: LASTING_ORDERS[strategyOf(strategy)],
    count: count === 0 ? FOLLOWED : count,
    start: ringStart,
  };
}

const FOLLOWED = 8;

const LASTING_ORDERS: Partial<Record<Strategy, ViewOrder>> = {
  LEAST_LOADED: "BY_LOAD",
  CHEAPEST: "BY_PRICE",
  BEST: "BY_SURENESS",
  FASTEST: "BY_LATENCY",
};

function slowStartOf({ window, aggression, leastShare }: SlowStartMessage): SlowStart {
  return {
    windowMs: window === undefined ? 0 : durationMs(window),
    aggression: aggression ?? 1,
    leastShare: leastShare ?? LEAST_SHARE,
  };
}

const LEAST_SHARE = 0.1;

/** A capability as it is compared: trimmed, in lower case. */
export function capabilityOf(text: string): string {
  return text.trim().toLowerCase();
}

/** Reads a filter; its lists are sorted, each value once, so that filters which mean the same are the same. */
export function filterOf(
  message: AgentFilter | undefined,
  states: readonly State[] | undefined,
): Filter {
  const { maxCost, maxLatency, minReliability } = message ?? {};
  const named = sorted((message?.states ?? []).map(stateOf));
  return {
    capabilities: sorted((message?.capabilities ?? []).map(capabilityOf)),
    match: message?.match === CapabilityMatch.ANY ? "ANY" : "ALL",
    maxCost: maxCost === undefined ? undefined : priceOf(maxCost),
    states: named.length > 0 ? named : states,
    minReliabilityPpm: minReliability === undefined ? undefined : ppm(minReliability),
    maxLatencyMs: maxLatency === undefined ? undefined : durationMs(maxLatency),
    labels: labelsOf(message),
    words: message?.text ? wordsOf([message.text]).toSorted((a, b) => a - b) : [],
    endpointScheme: message?.endpointScheme || undefined,
  };
}

/** In the order of their names. */
function labelsOf(message: AgentFilter | undefined): Filter["labels"] {
  const { metadata } = message ?? {};
  // Most filters have none.
  for (const _name in metadata) {
    return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return {};
}

/** How long a place is asked for, in milliseconds; a valid request says so. */
export function timeoutMsOf({ timeout }: SlotRequest): number {
  return timeout === undefined ? 0 : durationMs(timeout);
}

/** What is looked at in an agent, but who it is. */
export function partsOf(parts: Parts): MessageInitShape<typeof CandidatePartsSchema> {
  const { state, load, recentPicks, reliabilityPpm, scorePpm, p95LatencyMs } = parts;
  const { capacityPerHour, share, chance } = parts;
  return {
    state: AvailabilityState[state],
    load,
    recentPicks,
    reliabilityPpm,
    scoreMicros: scorePpm,
    ...(p95LatencyMs !== undefined && { p95Latency: durationFromMs(p95LatencyMs) }),
    capacityPerHour,
    ...(share !== undefined && { sharePpm: ppm(share) }),
    ...(chance !== undefined && { chancePpm: ppm(chance) }),
  };
}

/** Counts by name, as the contract has them. */
export function countsOf(counts: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)]));
}

function priceOf(money: { readonly micros: bigint; readonly currencyCode: string }): Price {
  return { micros: money.micros, currency: money.currencyCode };
}

function ppm(share: number): number {
  return Math.round(share * PPM);
}

function sorted<T extends string>(values: readonly T[]): readonly T[] {
  return values.length < 2 ? values : [...new Set(values)].sort();
}
