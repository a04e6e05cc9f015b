import type { Breaker, BreakerEvent } from "./breaker.ts";

/** A breaker and the capability that it concerns. */
export interface NamedBreaker {
  readonly capability: string;
  readonly breaker: Breaker;
}

/** A breaker, and whose and of what it is. */
export interface AgentBreaker extends NamedBreaker {
  readonly agentId: string;
}

/** What became of a breaker. */
export interface BreakerChange {
  readonly before: Breaker | undefined;
  readonly after: Breaker | undefined;
  /** For each event whether it was taken, in their order. */
  readonly taken: readonly boolean[];
}

/**
 * The circuit breakers, shared by all replicas where the implementation can be. It may lose everything at any time: the
 * breakers are then closed. While it is away, they stay as they were last known.
 */
export interface BreakerStore extends AsyncDisposable {
  /**
   * Lets events happen to one breaker, in order and at once.
   * @throws Rejection BREAKERS_UNAVAILABLE when the store is away
   */
  change(
    agentId: string,
    capability: string,
    events: readonly BreakerEvent[],
  ): Promise<BreakerChange>;
  /** The breakers of an agent that are not closed now, by capability, as this replica knows them; it costs nothing. */
  known(agentId: string): readonly NamedBreaker[];
  /** The breakers of all agents that are not closed now, in no order, as this replica knows them. */
  all(): readonly AgentBreaker[];
  /** Whether the store is away, so that what is known may be old. */
  isStale(): boolean;
  /** How many breakers are not closed now, as this replica knows them. */
  counts(): { readonly OPEN: number; readonly HALF_OPEN: number };
  /** The capabilities that an agent has a breaker for. @throws Rejection BREAKERS_UNAVAILABLE */
  list(agentId: string): Promise<readonly string[]>;
  /** Forgets an agent; does nothing when the store is away. */
  forget(agentId: string): Promise<void>;
  /** The agents whose breakers have changed since, for a watcher that was away; those known when the store is away. */
  changedSince(since: Date): Promise<readonly string[]>;
  /** Tells of changes made through any replica or by the clock, within half a second. Returns what ends it. */
  subscribe(listener: (agentIds: readonly string[]) => void): () => void;
}
