/** What a replica has seen of a shard. */
export interface ShardView {
  /** The run of the server that answered; another one may lack the newest changes, and go on from there. */
  readonly server: string;
  /** When the shard was begun, in microseconds; "" when nothing was ever written. */
  readonly epoch: string;
  /** The last change seen, in microseconds. */
  readonly cursor: number;
  /** Until when lapses were looked for, in milliseconds. */
  readonly lapsedMs: number;
}

/** What a shard answers to "what is new since". */
export interface ShardReport {
  readonly server: string;
  readonly epoch: string;
  /** The newest change, in microseconds; 0 when there is none. */
  readonly last: number;
  readonly changed: readonly string[];
  readonly lapsed: readonly string[];
}

/**
 * What a report says to who had seen `view`. A shard was lost when it has another beginning than it had, when it stands
 * before what was seen, or when another server answers than did; one that could not be read until now counts as lost,
 * since watchers may have begun without it.
 */
export function reckon(
  view: ShardView | undefined,
  report: ShardReport,
  nowMs: number,
): { readonly next: ShardView; readonly agentIds: readonly string[]; readonly lost: boolean } {
  const { server, epoch, last: cursor } = report;
  const next = { server, epoch, cursor, lapsedMs: nowMs };
  if (view === undefined) return { next, agentIds: [], lost: true };
  const begunAnew = view.epoch !== "" && view.epoch !== epoch;
  const lost = begunAnew || cursor < view.cursor || server !== view.server;
  return { next, agentIds: lost ? [] : [...report.changed, ...report.lapsed], lost };
}
