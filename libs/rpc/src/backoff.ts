const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/**
 * Milliseconds to wait before attempt `attempt` (from 1): a random share of at least a half of a span that doubles from
 * 100 ms up to 5 s, so that many callers of one restarted server do not come back at the same moment. `random` gives
 * numbers from 0 to below 1.
 */
export function backoffMs(attempt: number, random: () => number): number {
  const span = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return span * (0.5 + random() / 2);
}
