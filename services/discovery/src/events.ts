import type { Roster } from "@bourse/roster";
import { businessEvents, type Logger } from "@bourse/telemetry";

/** What discovery tells of its own life, one log line each. */
export type Events = {
  /** The first snapshot is complete: discovery can answer. */
  readonly roster_ready: { readonly agents: number; readonly ms: number };
  /** Redis is away, or this node of a cluster: this replica counts the turns that are kept there alone. */
  readonly rotation_alone: { readonly reason: string; readonly node: string };
  /** It is back: these turns are taken together again. */
  readonly rotation_shared: { readonly node: string };
  /** The registry's stream was lost: answers come from what was last known. */
  readonly roster_lost: { readonly agents: number; readonly reason: string };
  /** The registry, or its store of leases, is away: who is there is as last known. */
  readonly availability_lost: { readonly agents: number; readonly since: string };
  /** It is back: leases run again. */
  readonly availability_known: { readonly agents: number };
};

/** Tells when a roster no longer knows who is there, and when it knows again. */
export function tellStaleness(roster: Roster, tell: ReturnType<typeof events>): void {
  let wasStale = false;
  roster.subscribeStale(() => {
    const [sinceMs, agents] = [roster.staleSinceMs(), roster.size];
    const isStale = sinceMs !== undefined;
    // It may be told again as of an earlier time.
    if (isStale === wasStale) return;
    wasStale = isStale;
    if (sinceMs === undefined) tell("availability_known", { agents });
    else tell("availability_lost", { agents, since: new Date(sinceMs).toISOString() });
  });
}

/** The function that tells of an event. */
export function events(logger: Logger) {
  return businessEvents<Events>(logger);
}
