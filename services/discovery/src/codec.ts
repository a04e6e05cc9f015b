import type { CandidateSchema } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import {
  type AgentFilter,
  CapabilityMatch,
  SearchOrder,
  SelectionStrategy,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { type Agent, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Filter } from "./filter.ts";
import type { Listing, Price, State } from "./listing.ts";
import type { Order } from "./order.ts";
import type { Strategy } from "./strategy.ts";

const PPM = 1_000_000;

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
};

const STRATEGIES: Readonly<Record<number, Strategy>> = {
  [SelectionStrategy.ROUND_ROBIN]: "ROUND_ROBIN",
  [SelectionStrategy.LEAST_LOADED]: "LEAST_LOADED",
  [SelectionStrategy.RANDOM]: "RANDOM",
  [SelectionStrategy.CHEAPEST]: "CHEAPEST",
  [SelectionStrategy.BEST]: "BEST",
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
function stateOf(state: AvailabilityState | undefined): State {
  return STATES[state ?? AvailabilityState.OFFLINE] ?? "OFFLINE";
}

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
    labels: Object.fromEntries(
      Object.entries(message?.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  };
}

/** What discovery looks at in an agent of the registry. */
export function listingOf(agent: Agent): Listing {
  const { profile, availability, reputation } = agent;
  const price = profile?.pricing?.costPerTask;
  const p95 = profile?.sla?.p95Latency;
  const reported = availability?.updateTime;
  return {
    agentId: agent.agentId,
    capabilities: profile?.capabilities ?? [],
    endpoint: profile?.endpoint,
    price: price === undefined ? undefined : priceOf(price),
    state: stateOf(availability?.state),
    inFlight: availability?.inFlight ?? 0,
    reportedMs: reported === undefined ? -Infinity : timestampMs(reported),
    capacityPerHour: profile?.capacityPerHour ?? DEFAULT_CAPACITY_PER_HOUR,
    p95LatencyMs: p95 === undefined ? undefined : durationMs(p95),
    scorePpm: ppm(reputation?.score ?? 0),
    reliabilityPpm: new Map(
      reputation?.reliabilities.map(({ capability, lowerBound }) => [capability, ppm(lowerBound)]),
    ),
    labels: profile?.metadata ?? {},
  };
}

const DEFAULT_CAPACITY_PER_HOUR = 30;

/** What a caller needs to know of an agent. */
export function candidateOf(listing: Listing): MessageInitShape<typeof CandidateSchema> {
  const { agentId, endpoint, price } = listing;
  return {
    agentId,
    ...(endpoint !== undefined && { endpoint: { uri: endpoint.uri, protocol: endpoint.protocol } }),
    ...(price !== undefined && {
      costPerTask: { micros: price.micros, currencyCode: price.currency },
    }),
  };
}

function priceOf(money: { readonly micros: bigint; readonly currencyCode: string }): Price {
  return { micros: money.micros, currency: money.currencyCode };
}

function ppm(share: number): number {
  return Math.round(share * PPM);
}

function sorted<T extends string>(values: readonly T[]): readonly T[] {
  return [...new Set(values)].sort();
}
