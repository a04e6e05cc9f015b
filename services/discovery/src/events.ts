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
};

/** The function that tells of an event. */
export function events(logger: Logger) {
  return businessEvents<Events>(logger);
}
