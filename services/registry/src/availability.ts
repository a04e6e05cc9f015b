/** Whether an agent can take work; what it declares and what holds are both such a state. */
export type State = "ONLINE" | "BUSY" | "OFFLINE" | "MAINTENANCE";

/** What was last heard from an agent, apart from what it declares. */
export interface Presence {
  /** Tasks under way, as the agent last said. */
  readonly inFlight: number;
  readonly heardAt: Date;
  /** Absent: it has no lease. */
  readonly leaseExpireAt: Date | undefined;
}

/** What is stored of an agent's availability. */
export interface Declaration {
  readonly declaredState: State;
  /** How often it wants to be heard of; absent: it asked for no lease. */
  readonly leaseMs: number | undefined;
  readonly maxConcurrent: number;
  readonly unregisteredAt: Date | undefined;
}

/**
 * The state that holds at `now`: OFFLINE for a tombstone and for an agent whose lease has lapsed or of which nothing
 * was heard since its lease was lost; BUSY when it declared ONLINE and has all it takes; else what it declared.
 */
export function stateOf(
  declaration: Declaration,
  presence: Presence | undefined,
  now: Date,
): State {
  const { declaredState, leaseMs, maxConcurrent, unregisteredAt } = declaration;
  if (unregisteredAt !== undefined) return "OFFLINE";
  if (leaseMs !== undefined && !holds(presence?.leaseExpireAt, now)) return "OFFLINE";
  const full = (presence?.inFlight ?? 0) >= maxConcurrent;
  return declaredState === "ONLINE" && full ? "BUSY" : declaredState;
}

function holds(leaseExpireAt: Date | undefined, now: Date): boolean {
  return leaseExpireAt !== undefined && leaseExpireAt > now;
}

/** What watchers know of a presence, in milliseconds; 0 for no lease. */
export interface Told {
  readonly inFlight: number;
  readonly leaseExpireMs: number;
  /** The end of the lease that they were last told. */
  readonly toldExpireMs: number;
}

/**
 * Whether watchers must hear of a sign of life. They reckon with the end of the lease that they know, so a renewal is
 * told once a quarter of the lease has passed since the last one told; anything else that matters, at once.
 */
export function isNews(
  before: Told | undefined,
  after: { readonly inFlight: number; readonly leaseExpireMs: number },
  nowMs: number,
): boolean {
  const wasMs = before?.leaseExpireMs ?? 0;
  const toldMs = before?.toldExpireMs ?? 0;
  const { inFlight, leaseExpireMs } = after;
  if (inFlight !== (before?.inFlight ?? 0)) return true;
  if (leaseExpireMs === 0 || wasMs === 0) return leaseExpireMs !== wasMs;
  const lapsed = wasMs <= nowMs;
  const shortened = leaseExpireMs < toldMs;
  return lapsed || shortened || (leaseExpireMs - toldMs) * 4 >= leaseExpireMs - nowMs;
}

/** The time within which the next sign of life is due: a third of the lease. */
export function nextHeartbeatMs(leaseMs: number): number {
  return Math.floor(leaseMs / 3);
}
