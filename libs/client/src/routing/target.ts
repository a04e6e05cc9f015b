import {
  type AgentFilterSchema,
  SelectionStrategy,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { money } from "../amount.ts";

/** Which agents a channel calls, and how it shares its calls among them. */
export interface Target {
  /** Trimmed, in lower case. */
  readonly capability: string;
  readonly filter: MessageInitShape<typeof AgentFilterSchema>;
  readonly strategy: Strategy;
  /** How many agents are connected to at the same time. */
  readonly subset: number;
  /** Whether `grpcs://` endpoints are called, else `grpc://` ones. */
  readonly tls: boolean;
}

/** The strategies that a target may name: those that can be kept to without knowing all agents. */
export type Strategy = keyof typeof STRATEGIES;

const STRATEGIES = {
  round_robin: SelectionStrategy.ROUND_ROBIN,
  least_loaded: SelectionStrategy.LEAST_LOADED,
  random: SelectionStrategy.RANDOM,
  cheapest: SelectionStrategy.CHEAPEST,
  best: SelectionStrategy.BEST,
  fastest: SelectionStrategy.FASTEST,
  power_of_two: SelectionStrategy.POWER_OF_TWO,
} as const;

const STATES = {
  online: AvailabilityState.ONLINE,
  busy: AvailabilityState.BUSY,
  maintenance: AvailabilityState.MAINTENANCE,
  offline: AvailabilityState.OFFLINE,
} as const;

/** WatchCandidates names no more. */
const SUBSET_MAX = 100;
const SUBSET = 8;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000 } as const;
const LATENCY = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)$/;
const AMOUNT = /^([\d.]+)([A-Z]+)$/;
const SHARE = /^(?:0(?:\.\d+)?|1(?:\.0+)?)$/;
const CAPABILITY = /^[a-z0-9][a-z0-9_.:/+-]{0,99}$/;
const LABEL = "label.";

/** What discovery is asked with for a strategy. */
export function selectionStrategy(strategy: Strategy): SelectionStrategy {
  return STRATEGIES[strategy];
}

interface Draft {
  filter: MessageInitShape<typeof AgentFilterSchema>;
  strategy: Strategy;
  subset: number;
  tls: boolean;
}

/** Reads an option into the draft; throws a RangeError that says what it must be. */
type Option = (draft: Draft, value: string) => void;

const OPTIONS: Readonly<Record<string, Option>> = {
  strategy(draft, value) {
    draft.strategy = oneOf(STRATEGIES, value);
  },
  subset(draft, value) {
    const size = /^\d{1,3}$/.test(value) ? Number(value) : 0;
    if (size < 1 || size > SUBSET_MAX) throw new RangeError(`must be from 1 to ${SUBSET_MAX}`);
    draft.subset = size;
  },
  tls(draft, value) {
    draft.tls = oneOf({ true: "true", false: "false" }, value) === "true";
  },
  max_cost(draft, value) {
    const [, amount, currency] = AMOUNT.exec(value) ?? [];
    if (amount === undefined || currency === undefined) {
      throw new RangeError("must be an amount with its currency, such as 0.25EUR");
    }
    draft.filter.maxCost = money(amount, currency);
  },
  max_latency(draft, value) {
    const [, count, unit] = LATENCY.exec(value) ?? [];
    const ms = Math.round(Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
    if (!(ms > 0)) throw new RangeError("must be a span above 0, such as 500ms, 30s or 2m");
    draft.filter.maxLatency = durationFromMs(ms);
  },
  min_reliability(draft, value) {
    if (!SHARE.test(value)) throw new RangeError("must be from 0 to 1");
    draft.filter.minReliability = Number(value);
  },
  states(draft, value) {
    draft.filter.states = value.split(",").map((each) => STATES[oneOf(STATES, each)]);
  },
};

/**
 * Reads what follows `bourse:///` in a channel's target: a capability, and options as a query,
 * such as `summarise?strategy=least_loaded&max_cost=0.25EUR`.
 * @throws RangeError that names every fault
 */
export function parseTarget(text: string): Target {
  const [path = "", ...query] = text.split("?");
  const capability = path.trim().toLowerCase();
  const draft: Draft = {
    filter: { capabilities: [capability] },
    strategy: "round_robin",
    subset: SUBSET,
    tls: false,
  };
  const faults = CAPABILITY.test(capability) ? [] : [`"${path}" is not a capability`];
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(query.join("?"))) {
    if (seen.has(name)) faults.push(`${name}: stands twice`);
    seen.add(name);
    const fault = read(draft, name, value);
    if (fault !== undefined) faults.push(`${name}: ${fault}`);
  }
  if (faults.length > 0) {
    throw new RangeError(`"bourse:///${text}" is not a target: ${faults.join("; ")}`);
  }
  draft.filter.endpointScheme = draft.tls ? "grpcs" : "grpc";
  return { capability, ...draft };
}

function read(draft: Draft, name: string, value: string): string | undefined {
  if (name.startsWith(LABEL) && name.length > LABEL.length) {
    draft.filter.metadata = { ...draft.filter.metadata, [name.slice(LABEL.length)]: value };
    return undefined;
  }
  const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (option === undefined) {
    return `is no option; there are ${Object.keys(OPTIONS).join(", ")} and ${LABEL}NAME`;
  }
  try {
    option(draft, value);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function oneOf<T extends Readonly<Record<string, unknown>>>(names: T, value: string): keyof T {
  if (Object.hasOwn(names, value)) return value;
  throw new RangeError(`must be one of ${Object.keys(names).join(", ")}`);
}
