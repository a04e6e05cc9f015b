/** Who was picked of late, by this process. */
export interface Picks {
  record(agentId: string, atMs: number): void;
  /** How often an agent was picked within the window that ends at `nowMs`, and of these after `sinceMs`. */
  count(agentId: string, nowMs: number, sinceMs?: number): number;
  /** Agents with a pick that is remembered. */
  readonly size: number;
}

/** Picks within a sliding window of `windowMs`. What has left the window is forgotten as new picks come. */
export function createPicks(windowMs: number): Picks {
  const times = new Map<string, number[]>();
  let nextSweepMs = -Infinity;

  function sweep(nowMs: number): void {
    nextSweepMs = nowMs + windowMs;
    for (const [agentId, picked] of times) {
      // Those that lie ahead are of a clock that was set back since.
      const kept = picked.slice(firstAfter(picked, nowMs - windowMs), firstAfter(picked, nowMs));
      if (kept.length === 0) times.delete(agentId);
      else times.set(agentId, kept);
    }
  }

  return {
    record(agentId, atMs) {
      if (atMs >= nextSweepMs || atMs < nextSweepMs - 2 * windowMs) sweep(atMs);
      const picked = times.get(agentId);
      if (picked === undefined) times.set(agentId, [atMs]);
      // A clock that is set back must not put the times out of order.
      else picked.push(Math.max(atMs, picked.at(-1) ?? atMs));
    },
    count(agentId, nowMs, sinceMs = -Infinity) {
      const picked = times.get(agentId);
      if (picked === undefined) return 0;
      return picked.length - firstAfter(picked, Math.max(sinceMs, nowMs - windowMs));
    },
    get size() {
      return times.size;
    },
  };
}

function firstAfter(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
