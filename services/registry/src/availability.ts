/** Whether an agent can take work; what it declares and what holds are both such a state. */
export type State = "ONLINE" | "BUSY" | "OFFLINE" | "MAINTENANCE";

/** How much an agent has to do, as it says itself. */
export interface Load {
  /** Work under way, without what came by a slot. */
  readonly inFlight: number;
  readonly queueLength: number;
  /** The share of its means that is in use, in millionths; undefined: not said. */
  readonly utilizationPpm: number | undefined;
}

/** What an agent without a lease reported holds for so long after its last sign of life. */
export const REPORT_MS = 600_000;

/** Nothing to do, as far as is known. */
export const NO_LOAD: Load = { inFlight: 0, queueLength: 0, utilizationPpm: undefined };

/** What is known of an agent apart from what it declares. */
export interface Presence {
  /** As the agent last said. */
  readonly reported: Load;
  /** Places that callers hold at it. */
  readonly openSlots: number;
  /** When one of them last began or ended. */
  readonly slotsChangedAt: Date | undefined;
  /** Absent: it was never heard of. */
  readonly heardAt: Date | undefined;
  /** Absent: it has no lease. */
  readonly leaseExpireAt: Date | undefined;
  /** The store is away since then: this was last known, and what held then holds until the store is back. */
  readonly staleSince?: Date;
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
 * While the store is away leases are looked at as of when it was lost.
 */
export function stateOf(
  declaration: Declaration,
  presence: Presence | undefined,
  now: Date,
): State {
  const { declaredState, leaseMs, maxConcurrent, unregisteredAt } = declaration;
  if (unregisteredAt !== undefined) return "OFFLINE";
  if (leaseMs !== undefined && !hasLease(presence, now)) return "OFFLINE";
  const full = loadAt(presence, now).inFlight >= maxConcurrent;
  return declaredState === "ONLINE" && full ? "BUSY" : declaredState;
}

/** What an agent has to do at `now`: what it reported, and its open slots, which count as in flight. */
export function loadAt(presence: Presence | undefined, now: Date): Load {
  if (presence === undefined) return NO_LOAD;
  const reported = reportedAt(presence, now);
  return { ...reported, inFlight: reported.inFlight + presence.openSlots };
}

/** What an agent reported, unless that is forgotten at `now`. */
export function reportedAt(presence: Presence, now: Date): Load {
  const { reported, leaseExpireAt, heardAt } = presence;
  const leaseExpireMs = leaseExpireAt?.getTime() ?? 0;
  const heardMs = heardAt?.getTime() ?? 0;
  const lapseMs = lapseMsOf({ reported, leaseExpireMs, heardMs });
  return hasLapsed(lapseMs, asOfMs(presence, now)) ? NO_LOAD : reported;
}

/**
 * When what an agent reported is forgotten, in milliseconds: with its lease, or, without one, a while after it was last
 * heard of. 0 when it has no lease and nothing to do.
 */
export function lapseMsOf(report: Report): number {
  const { reported, leaseExpireMs, heardMs } = report;
  if (leaseExpireMs > 0) return leaseExpireMs;
  const { inFlight, queueLength, utilizationPpm = 0 } = reported;
  return inFlight + queueLength + utilizationPpm === 0 ? 0 : heardMs + REPORT_MS;
}

/** Whether what lapses at `lapseMs`, 0 for never, has lapsed. */
export function hasLapsed(lapseMs: number, nowMs: number): boolean {
  return lapseMs > 0 && lapseMs <= nowMs;
}

/** Whether the agent has a lease that holds at `now`. */
export function hasLease(presence: Presence | undefined, now: Date): boolean {
  if (presence?.leaseExpireAt === undefined) return false;
  return presence.leaseExpireAt.getTime() > asOfMs(presence, now);
}

/** As of when leases and reports are looked at: they stand still while nobody can be heard of. */
function asOfMs({ staleSince }: Presence, now: Date): number {
  return Math.min(now.getTime(), staleSince?.getTime() ?? Infinity);
}

/** What an agent reported, and what decides how long it holds, in milliseconds; 0 for no lease. */
export interface Report {
  readonly reported: Load;
  readonly leaseExpireMs: number;
  readonly heardMs: number;
}

/** What watchers know of a presence, in milliseconds. */
export interface Told extends Report {
  /** The end of the lease that they were last told. */
  readonly toldExpireMs: number;
  /** The utilization that they were last told. */
  readonly toldUtilizationPpm: number;
}

/** Utilization that has moved by this much is told. */
const UTILIZATION_STEP_PPM = 100_000;

/**
 * Whether watchers must hear of a sign of life. They reckon with the end of the lease that they know, so a renewal is
 * told once a quarter of the lease has passed since the last one told, and utilization once it has moved by a tenth;
 * anything else that matters, at once. They were told when a report was forgotten, so that the next is news.
 */
export function isNews(
  before: Told | undefined,
  after: { readonly reported: Load; readonly leaseExpireMs: number },
  nowMs: number,
): boolean {
  const wasMs = before?.leaseExpireMs ?? 0;
  const toldMs = before?.toldExpireMs ?? 0;
  const was = before?.reported ?? NO_LOAD;
  const { reported, leaseExpireMs } = after;
  if (before !== undefined && hasLapsed(lapseMsOf(before), nowMs)) return true;
  if (reported.inFlight !== was.inFlight || reported.queueLength !== was.queueLength) return true;
  const movedPpm = (reported.utilizationPpm ?? 0) - (before?.toldUtilizationPpm ?? 0);
  if (Math.abs(movedPpm) >= UTILIZATION_STEP_PPM) return true;
  if (leaseExpireMs === 0 || wasMs === 0) return leaseExpireMs !== wasMs;
  return leaseExpireMs < toldMs || (leaseExpireMs - toldMs) * 4 >= leaseExpireMs - nowMs;
}

/** The time within which the next sign of life is due: a third of the lease. */
export function nextHeartbeatMs(leaseMs: number): number {
  return Math.floor(leaseMs / 3);
}
