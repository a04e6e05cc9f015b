/** How a newcomer's share grows. */
export interface SlowStart {
  /** From its first registration on; above 0. */
  readonly windowMs: number;
  /** Above 0; 1: by equal steps, more: faster at first. */
  readonly aggression: number;
  /** The least share, from 0 to 1. */
  readonly leastShare: number;
}

/**
 * The share of its full weight, from 0 to 1, that an agent has which came at `createdMs`: Envoy's
 * `max(least, (age / window) ^ (1 / aggression))`, where an age counts as a second at least.
 */
export function shareOf(createdMs: number, nowMs: number, slowStart: SlowStart): number {
  const { windowMs, aggression, leastShare } = slowStart;
  // What lies ahead is of a clock that was set back since: it is new.
  const ageMs = Math.max(nowMs - createdMs, 1_000);
  if (ageMs >= windowMs) return 1;
  return Math.max(leastShare, (ageMs / windowMs) ** (1 / aggression));
}
