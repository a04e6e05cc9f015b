import { type BreakerPhase, phaseOf } from "./breaker.ts";
import type { AgentBreaker } from "./breaker-store.ts";

/** Which breakers a list holds; what is "" or absent does not matter. */
export interface BreakerFilter {
  readonly agentId: string;
  /** Normalised. */
  readonly capability: string;
  readonly phase: BreakerPhase | undefined;
}

/** Where a page begins: behind the breaker of this agent at this capability. */
export type BreakerPlace = Pick<AgentBreaker, "agentId" | "capability">;

/** A page of breakers. */
export interface BreakerPage {
  readonly breakers: readonly AgentBreaker[];
  readonly isLast: boolean;
  /** How many pass the filter, over all pages. */
  readonly total: number;
}

/** The first `size` breakers behind a place that pass the filter at `nowMs`, by agent and capability. */
export function pageOfBreakers(
  all: readonly AgentBreaker[],
  filter: BreakerFilter,
  from: { readonly after: BreakerPlace | undefined; readonly size: number; readonly nowMs: number },
): BreakerPage {
  const { after, size, nowMs } = from;
  const passing = all.filter(
    ({ agentId, capability, breaker }) =>
      (filter.agentId === "" || filter.agentId === agentId) &&
      (filter.capability === "" || filter.capability === capability) &&
      (filter.phase === undefined || filter.phase === phaseOf(breaker, nowMs)),
  );
  const ahead = passing.filter((one) => after === undefined || compare(one, after) > 0);
  const breakers = ahead.sort(compare).slice(0, size);
  return { breakers, isLast: breakers.length === ahead.length, total: passing.length };
}

function compare(a: BreakerPlace, b: BreakerPlace): number {
  if (a.agentId !== b.agentId) return a.agentId < b.agentId ? -1 : 1;
  if (a.capability === b.capability) return 0;
  return a.capability < b.capability ? -1 : 1;
}
