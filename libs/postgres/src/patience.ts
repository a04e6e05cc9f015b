import { setTimeout as delay } from "node:timers/promises";
import { sqlState } from "./violation.ts";

/** A lock that was not available in time, and a deadlock. */
const LOCK_NOT_GOT: ReadonlySet<string | undefined> = new Set(["55P03", "40P01"]);

/**
 * Runs `work` until it no longer gives up on a lock, at most `tries` times, with a pause of up to
 * `pauseMs` in which those who queued up behind it go first.
 * @throws what `work` throws, a lock that it did not get in the last try included
 */
export async function withPatience<T>(
  work: () => Promise<T>,
  { tries, pauseMs }: { readonly tries: number; readonly pauseMs: number },
): Promise<T> {
  for (let nth = 1; ; nth++) {
    try {
      return await work();
    } catch (error) {
      if (!LOCK_NOT_GOT.has(sqlState(error)) || nth >= tries) throw error;
      await delay(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}
