import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import { forgetRequests } from "./requests.ts";

const HOUR_MS = 3_600_000;
const WEEK_MS = 604_800_000;

/**
 * Forgets the requests that are older than `memoryMs` (a week), now and every `everyMs` (an hour),
 * until it is disposed. Each replica may do so. The age is by the clock of the database, which also
 * stamped them: a service whose clock is wrong must not forget what its callers still repeat.
 */
export function keepTidy(options: {
  readonly pool: Pool;
  readonly memoryMs?: number;
  readonly everyMs?: number;
  /** Told of a failure; the next round tries again. */
  readonly onFault?: (error: unknown) => void;
}): AsyncDisposable {
  const { pool, memoryMs = WEEK_MS, everyMs = HOUR_MS, onFault = () => {} } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function tidy(): Promise<void> {
    const { rows } = await pool.query<{ before: Date }>(
      "select now() - $1 * interval '1 ms' as before",
      [memoryMs],
    );
    for (const { before } of rows) await forgetRequests(pool, before, { signal });
  }

  const working = (async () => {
    while (!signal.aborted) {
      await tidy().catch(onFault);
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => {});
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await working;
    },
  };
}
