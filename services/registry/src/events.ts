import { businessEvents, type Logger } from "@bourse/telemetry";
import type { Arrival } from "./agent.ts";
import type { State } from "./availability.ts";
import type { BreakerCause } from "./breaker.ts";

/** What the registry tells the log, one line for each. */
export type Events = {
  readonly agent_registered: { readonly agent_id: string; readonly arrival: Arrival };
  readonly agents_registered: { readonly agents: number; readonly first_agent_id: string };
  readonly agent_updated: { readonly agent_id: string; readonly fields: string };
  readonly agent_declared: {
    readonly agent_id: string;
    readonly state: State;
    readonly lease_ms: number | undefined;
  };
  readonly agent_unregistered: { readonly agent_id: string };
  /** Never with the agent's id beside it. */
  readonly erasure_requested: { readonly erasure_id: string };
  readonly agent_erased: { readonly erasure_id: string };
  readonly outcome_recorded: {
    readonly outcome_id: string;
    readonly agent_id: string;
    readonly success: boolean;
    readonly counted: boolean;
  };
  readonly breaker_opened: {
    readonly agent_id: string;
    readonly capability: string;
    readonly cause: BreakerCause;
    readonly backoff_ms: number;
  };
  readonly breaker_closed: { readonly agent_id: string; readonly capability: string };
  readonly reputation_adjusted: {
    readonly agent_id: string;
    readonly delta_ppm: bigint;
    readonly score_ppm: bigint;
  };
};

/** Tells of a business event. */
export type Tell = <E extends keyof Events>(event: E, fields: Events[E]) => void;

/** Tells them to the log. */
export function tellLog(logger: Logger): Tell {
  return businessEvents<Events>(logger);
}
