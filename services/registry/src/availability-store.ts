import type { Load, Presence } from "./availability.ts";
import type { Share } from "./share.ts";

/** A sign of life. */
export interface Beat {
  readonly agentId: string;
  readonly now: Date;
  /** What is absent is as before; as in NO_LOAD when it was not known or is forgotten by now. */
  readonly reported?: { readonly [K in keyof Load]?: Load[K] | undefined };
  /** What was reported before is forgotten. */
  readonly isFresh?: boolean;
  /** Absent: it has no lease. */
  readonly leaseExpireAt: Date | undefined;
}

/** Whose availability may have changed: these agents, if any, or, when the store was lost, all. */
export type AvailabilityChange =
  | { readonly kind: "agents"; readonly agentIds: readonly string[] }
  | { readonly kind: "all" };

/** Names a slot; an id is of its agent. */
export interface SlotKey {
  readonly agentId: string;
  readonly slotId: string;
}

/** Asks for a slot. */
export interface SlotClaim extends SlotKey {
  readonly now: Date;
  readonly expireAt: Date;
  /** So much may be in flight at the agent. */
  readonly maxConcurrent: number;
  /** Whether it takes work by what it declares. */
  readonly takesWork: boolean;
  /** Whether it takes work only while it has a lease. */
  readonly isLeased: boolean;
  /** Whose it will be; absent when the holder is not bounded. */
  readonly share?: Share | undefined;
}

/** The slot's end, or why there is none; the first that applies. */
export type SlotAnswer = { readonly expireAt: Date } | "NOT_AVAILABLE" | "FULL" | "SHARE_TAKEN";

/** Places at agents, which end by themselves. All throw AVAILABILITY_UNAVAILABLE when it is away. */
export interface SlotStore {
  /** Takes a slot; one that is open already stays as it is, and is the answer before all else. */
  acquireSlot(claim: SlotClaim): Promise<SlotAnswer>;
  /** Moves the end of a slot. Returns whether it is open. */
  renewSlot(slot: SlotKey & { readonly now: Date; readonly expireAt: Date }): Promise<boolean>;
  /** Ends a slot. Returns whether it was open. */
  releaseSlot(slot: SlotKey & { readonly now: Date }): Promise<boolean>;
}

/**
 * Leases, load, slots and last signs of life, shared by all replicas where the implementation can be. It may lose
 * everything at any time, or be away. What held then holds until it is back; then, for the length of its lease, an
 * agent that a replica had known is taken to be there, and another is OFFLINE until it is heard of again.
 */
export interface AvailabilityStore extends SlotStore, AsyncDisposable {
  /**
   * Writes a sign of life.
   * @throws Rejection AVAILABILITY_UNAVAILABLE when the store is away
   */
  beat(beat: Beat): Promise<Presence>;
  /**
   * What is known of these agents, those that are unknown left out. When the store is away, what was last known of
   * each, marked as stale; who subscribes is told of them again once it is back.
   */
  read(agentIds: readonly string[]): Promise<ReadonlyMap<string, Presence>>;
  /** How many agents have a lease that holds; the last known when the store is away. */
  countLeases(): Promise<number>;
  /** Forgets an agent; does nothing when the store is away. */
  forget(agentId: string): Promise<void>;
  /** What has changed since, for a watcher that was away: sooner too much than too little. */
  changesSince(since: Date): Promise<AvailabilityChange>;
  /** Since when the store is away; undefined while it can be read. */
  staleSince(): Date | undefined;
  /**
   * Until when all that has changed was told to those who subscribe; stands still while the store is away, at the
   * beginning of time when it was never there.
   */
  toldUntil(): Date;
  /**
   * Tells of changes made through any replica, and of leases, reports and slots that end, within half a second; and,
   * with or without agents, when `staleSince` has changed. Returns the function that ends it.
   */
  subscribe(listener: (change: AvailabilityChange) => void): () => void;
}

/** How long something is kept about an agent that is not heard of any more, and how far back `changesSince` sees. */
export const KEPT_MS = 86_400_000;

/** How often lapses and changes are looked for. */
export const LOOK_MS = 100;
