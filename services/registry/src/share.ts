/** What one holder may have of an agent's places. */
export interface Share {
  /** A principal, such as `agent:buyer`. */
  readonly holder: string;
  /** So many open slots, at least one. */
  readonly most: number;
}

/** An agent has at most so many open slots, whatever it takes. */
export const SLOTS_MAX = 10_000;

/**
 * The share of a holder of an agent's places: for another agent half of them, rounded up. Undefined for an operator, a
 * service and the agent itself, who are not bounded: the house is trusted, and its own places are the agent's.
 */
export function shareOf(
  holder: string,
  agent: { readonly agentId: string; readonly maxConcurrent: number },
): Share | undefined {
  if (!holder.startsWith("agent:") || holder === `agent:${agent.agentId}`) return undefined;
  return { holder, most: Math.ceil(Math.min(agent.maxConcurrent, SLOTS_MAX) / 2) };
}
