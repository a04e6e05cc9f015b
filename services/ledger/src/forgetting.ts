import { forgetRequests, type Pool } from "@bourse/postgres";

/** Requests are remembered for a week. */
const MEMORY_MS = 604_800_000;
const HOUR_MS = 3_600_000;

/**
 * Forgets, every hour, the request ids of rulings that are older than a week; a ruling that is asked
 * for again after that finds its dispute decided.
 */
export function startForgetting(options: {
  readonly pool: Pool;
  readonly now: () => Date;
  readonly onFault: (error: unknown) => void;
  /** How often, in ms; an hour when absent. */
  readonly everyMs?: number;
}): Disposable {
  const { pool, now, onFault, everyMs = HOUR_MS } = options;
  const timer = setInterval(() => {
    forgetRequests(pool, new Date(now().getTime() - MEMORY_MS)).catch(onFault);
  }, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
