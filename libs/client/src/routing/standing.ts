/** How an agent does, in the eyes of one channel. */
export interface Standing {
  /** Failures since its last success. */
  readonly failures: number;
  /** Until when it is avoided, on the clock of the calls; 0 when it is not. */
  readonly untilMs: number;
}

/**
 * Failures in a row for which an agent is avoided, when each of them may be the call's own fault.
 */
const DOUBTFUL_FAILURES = 3;
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;
/** More than a list of discovery names. */
const REMEMBERED = 100;

/**
 * What a channel remembers of agents that failed: who is avoided, and for how long. One that is
 * away is avoided at once, one whose answers are wrong or late after three of them; for a second,
 * then twice as long each time up to a minute, less a random share of up to a half. After that one
 * call may try it. A success ends it.
 */
export interface Standings {
  fail(agentId: string, away: boolean): void;
  succeed(agentId: string): void;
  /** Whether a call may go to it, of which so many calls are under way. */
  admits(agentId: string, underWay: number): boolean;
  /** Who is avoided now. */
  avoided(): readonly string[];
  /** In how many ms the first of them is not any more; undefined when nobody is avoided. */
  nextMs(): number | undefined;
}

/** Standings without a failure; `now` is a clock that does not jump, in ms. */
export function createStandings(now: () => number, random: () => number): Standings {
  const failed = new Map<string, Standing>();
  return {
    fail(agentId, away) {
      const failures = (failed.get(agentId)?.failures ?? 0) + 1;
      const over = away ? failures : failures - DOUBTFUL_FAILURES + 1;
      failed.delete(agentId);
      failed.set(agentId, {
        failures,
        untilMs: over < 1 ? 0 : now() + spanMs(over) * (1 - random() / 2),
      });
      const [oldest] = failed.keys();
      if (failed.size > REMEMBERED && oldest !== undefined) failed.delete(oldest);
    },
    succeed: (agentId) => void failed.delete(agentId),
    admits(agentId, underWay) {
      const standing = failed.get(agentId);
      if (standing === undefined || standing.untilMs === 0) return true;
      return underWay === 0 && now() >= standing.untilMs;
    },
    avoided() {
      const nowMs = now();
      return [...failed].flatMap(([agentId, { untilMs }]) => (untilMs > nowMs ? [agentId] : []));
    },
    nextMs() {
      const nowMs = now();
      let nextMs: number | undefined;
      for (const { untilMs } of failed.values()) {
        if (untilMs > nowMs) nextMs = Math.min(nextMs ?? Infinity, untilMs - nowMs);
      }
      return nextMs;
    },
  };
}

function spanMs(attempt: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
}
