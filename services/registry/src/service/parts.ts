import type { Feed } from "@bourse/postgres/feed";
import type { AvailabilityStore } from "../availability-store.ts";
import type { BreakerStore } from "../breaker-store.ts";
import type { Tell } from "../events.ts";
import type { RegistryMetrics } from "../metrics.ts";
import type { Mutations } from "../queue.ts";
import type { RegistryStore } from "../store.ts";

/** What the handlers work with. */
export interface Parts {
  readonly store: RegistryStore;
  readonly mutations: Mutations;
  readonly availability: AvailabilityStore;
  readonly breakers: BreakerStore;
  /** An outcome that lowers the calibration of an agent below this opens its breaker, in millionths. */
  readonly calibrationLeastPpm: bigint;
  readonly feed: Feed;
  readonly now: () => Date;
  /** A UUID that sorts by time. */
  readonly newId: () => string;
  /** `erased-` and 24 random letters and digits. */
  readonly newAlias: () => string;
  readonly tell: Tell;
  readonly metrics: RegistryMetrics;
  /** Called after each commit that changed an agent: wakes watchers and the relay. */
  readonly committed: () => void;
  /** Told of what went wrong beside an answer that went well. */
  readonly onFault: (error: unknown, what: string) => void;
}
