import type { Agents } from "./market/agents.ts";
import { toBeTried, trialOf } from "./market/half-open.ts";
import type { Wanted } from "./reliability.ts";
import { type Picked, retold } from "./slot.ts";

/** Where calls are let through breakers that are half open. */
export interface Trials {
  /** Whether a call may try an agent at a capability. */
  take(agentId: string, capability: string): Promise<boolean>;
}

/** How an agent is picked of whom some have to be tried. */
export interface TrialParts<P extends Picked> {
  readonly agents: Agents;
  readonly trials: Trials;
  /** Picks an agent that is none of these. @throws Rejection NO_ELIGIBLE_AGENTS */
  readonly pick: (excluded: ReadonlySet<string>) => Promise<P>;
}

/** So many agents are asked about; then nobody is picked whose breaker is half open. */
const TRIES_MAX = 8;

/**
 * Picks an agent; one whose breaker is half open is passed over unless this call may try it.
 * @throws Rejection NO_ELIGIBLE_AGENTS, in which those who were passed over count as `breaker_open`
 */
export async function pickTried<P extends Picked>(
  { agents, trials, pick }: TrialParts<P>,
  wanted: Wanted,
  excluded: ReadonlySet<string>,
): Promise<P> {
  const passed = new Map<string, "breaker_open">();
  for (let tries = 0; ; tries += 1) {
    if (tries === TRIES_MAX) for (const agentId of toBeTried(agents, wanted)) pass(agentId);
    const picked = await pick(
      passed.size === 0 ? excluded : new Set([...excluded, ...passed.keys()]),
    ).catch((error: unknown) => {
      throw passed.size === 0 ? error : retold(error, passed);
    });
    const slot = agents.slotOf(picked.agentId);
    const capability = slot === undefined ? undefined : trialOf(agents, slot, wanted);
    if (capability === undefined || (await trials.take(picked.agentId, capability))) return picked;
    pass(picked.agentId);
  }

  function pass(agentId: string): void {
    if (!excluded.has(agentId)) passed.set(agentId, "breaker_open");
  }
}
