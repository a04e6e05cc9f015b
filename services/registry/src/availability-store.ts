import type { Presence } from "./availability.ts";

/** A sign of life. */
export interface Beat {
  readonly agentId: string;
  readonly now: Date;
  /** Absent: as before, or 0. */
  readonly inFlight?: number | undefined;
  /** Absent: it has no lease. */
  readonly leaseExpireAt: Date | undefined;
}

/** Whose availability may have changed: these agents, or, when the store was lost, any that has a lease. */
export type AvailabilityChange =
  | { readonly kind: "agents"; readonly agentIds: readonly string[] }
  | { readonly kind: "all" };

/**
 * Leases, tasks under way and last signs of life, shared by all replicas where the implementation can be. It may lose
 * everything at any time: an agent with a lease is then OFFLINE until it is heard of again.
 */
export interface AvailabilityStore extends AsyncDisposable {
  /**
   * Writes a sign of life.
   * @throws Rejection AVAILABILITY_UNAVAILABLE when the store is away
   */
  beat(beat: Beat): Promise<Presence>;
  /** What is known of these agents, those that are unknown left out; the last known when the store is away. */
  read(agentIds: readonly string[]): Promise<ReadonlyMap<string, Presence>>;
  /** Forgets an agent; does nothing when the store is away. */
  forget(agentId: string): Promise<void>;
  /** What has changed since, for a watcher that was away: sooner too much than too little. */
  changesSince(since: Date): Promise<AvailabilityChange>;
  /** Until when all that has changed was told to those who subscribe; stands still while the store is away. */
  toldUntil(): Date;
  /**
   * Tells of changes made through any replica, and of leases that lapse, within half a second. Returns the function
   * that ends it.
   */
  subscribe(listener: (change: AvailabilityChange) => void): () => void;
}

/** How long something is kept about an agent that is not heard of any more, and how far back `changesSince` sees. */
export const KEPT_MS = 86_400_000;

/** How often lapses and changes are looked for. */
export const LOOK_MS = 250;
