import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@bourse/telemetry";

const STUCK_MS = 3_000;

/** Waits for a start; rejects when it takes longer than the limit once the end has begun. */
export async function unlessStuck(
  started: Promise<void>,
  begun: Promise<void>,
  limitMs: number,
): Promise<void> {
  const settled = new AbortController();
  const limit = begun
    .then(() => delay(limitMs, undefined, { signal: settled.signal }))
    .then(
      () => Promise.reject(new Error(`no start within ${limitMs} ms of the end`)),
      () => {},
    );
  try {
    await Promise.race([started, limit]);
  } finally {
    settled.abort();
  }
}

/** Ends a process of which all was closed, when something still keeps it. */
export function exitWhenStuck(logger: Logger): void {
  // Unref'd: a process that ends by itself never gets here.
  setTimeout(() => {
    const resources = process.getActiveResourcesInfo();
    logger.warn({ event: "stuck", resources }, "all is closed but something keeps the process");
    process.exit();
  }, STUCK_MS).unref();
}
