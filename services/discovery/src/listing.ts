/** Whether an agent takes work now. */
export type State = "ONLINE" | "BUSY" | "MAINTENANCE" | "OFFLINE";

/** An amount of one currency, in millionths. */
export interface Price {
  readonly micros: bigint;
  readonly currency: string;
}

/** What discovery looks at in an agent. */
export interface Listing {
  readonly agentId: string;
  /** Trimmed, in lower case, each once. */
  readonly capabilities: readonly string[];
  readonly price: Price | undefined;
  /** As long as its lease holds; OFFLINE afterwards. */
  readonly state: State;
  /** When its lease lapses (since the epoch); Infinity when it has none. */
  readonly leaseEndMs: number;
  /** Tasks under way, as the agent said at `reportedMs` (since the epoch). */
  readonly inFlight: number;
  readonly reportedMs: number;
  readonly capacityPerHour: number;
  readonly p95LatencyMs: number | undefined;
  /** 0 to 5 million: the reputation score in millionths. */
  readonly scorePpm: number;
  /** Per capability with a record, the lower bound of its reliability, in ppm. */
  readonly reliabilityPpm: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, string>;
  /** The circuit breakers that are not closed, by capability. */
  readonly breakers: ReadonlyMap<string, BreakerState>;
  /** When it first came, since the epoch. */
  readonly createdMs: number;
  /** What it can be found by, as `wordsOf` tells. */
  readonly words: readonly number[];
  /** The scheme of its endpoint's URI, in lower case; undefined when it has none. */
  readonly endpointScheme: string | undefined;
}

/** A breaker that is open lets no call through, one that is half open lets a few try. */
export type BreakerState = "OPEN" | "HALF_OPEN";

/** The breakers of nearly all agents. */
export const NO_BREAKERS: ReadonlyMap<string, BreakerState> = new Map();

/** Of an agent that has none, as many have. */
export const NO_RECORDS: ReadonlyMap<string, number> = new Map();
export const NO_LABELS: ReadonlyMap<string, string> = new Map();

/** The states, the most available first. */
export const STATES = ["ONLINE", "BUSY", "MAINTENANCE", "OFFLINE"] as const;

/** How available each state is: the lower, the more. */
export const STATE_RANK: Readonly<Record<State, number>> = {
  ONLINE: 0,
  BUSY: 1,
  MAINTENANCE: 2,
  OFFLINE: 3,
};
