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
  readonly endpoint: { readonly uri: string; readonly protocol: string } | undefined;
  readonly price: Price | undefined;
  readonly state: State;
  /** Tasks under way, as the agent said at `reportedMs` (since the epoch). */
  readonly inFlight: number;
  readonly reportedMs: number;
  readonly capacityPerHour: number;
  readonly p95LatencyMs: number | undefined;
  /** 0 to 5 million: the reputation score in millionths. */
  readonly scorePpm: number;
  /** Per capability with a record, the lower bound of its reliability, in ppm. */
  readonly reliabilityPpm: ReadonlyMap<string, number>;
  readonly labels: Readonly<Record<string, string>>;
}

/** How available each state is: the lower, the more. */
export const STATE_RANK: Readonly<Record<State, number>> = {
  ONLINE: 0,
  BUSY: 1,
  MAINTENANCE: 2,
  OFFLINE: 3,
};
