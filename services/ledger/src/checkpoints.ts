import { setTimeout as delay } from "node:timers/promises";
import type { LogStore } from "./log.ts";

/**
 * Takes a checkpoint of the log, now and every `everyMs`, until it is disposed. Each process may do
 * so. What is written later can be rewritten unseen only until the next one.
 */
export function keepCheckpoints(options: {
  readonly log: Pick<LogStore, "checkpoint">;
  readonly everyMs: number;
  /** Told of a failure; the next round tries again. */
  readonly onFault: (error: unknown) => void;
}): AsyncDisposable {
  const { log, everyMs, onFault } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const working = (async () => {
    while (!signal.aborted) {
      await log.checkpoint(undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) onFault(error);
      });
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
