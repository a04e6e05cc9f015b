import { setTimeout as delay } from "node:timers/promises";
import { KEYED_MS } from "./standing.ts";
import type { RegistryStore } from "./store.ts";

/** How often places are looked for that are too old. */
const EVERY_MS = 3_600_000;
/** Agents whose places are reckoned in one transaction. */
const AT_ONCE = 100;

/**
 * Reckons places anew that are a day old, and those that are missing, now and every hour until it is disposed, and has
 * watchers told of their agents. Each replica may do so: who comes second finds them new.
 */
export function keepRanked(options: {
  readonly store: Pick<RegistryStore, "listStale" | "write">;
  readonly now: () => Date;
  readonly everyMs?: number;
  /** Told of a failure; the next round tries again. */
  readonly onFault?: (error: unknown) => void;
}): AsyncDisposable {
  const { store, now, everyMs = EVERY_MS, onFault = () => {} } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function rankAll(): Promise<void> {
    const before = new Date(now().getTime() - KEYED_MS);
    for (let after = ""; !signal.aborted; ) {
      const agentIds = await store.listStale(after, before, AT_ONCE);
      if (agentIds.length > 0) {
        await store.write(
          async (unit) => {
            const agents = await unit.lockAgents(agentIds);
            await unit.rankAgents([...agents.values()], now());
            // What watchers know of an agent that does nothing would not fade otherwise.
            await unit.tellAgain(agentIds);
          },
          { signal },
        );
      }
      if (agentIds.length < AT_ONCE) return;
      after = agentIds.at(-1) ?? after;
    }
  }

  const working = (async () => {
    while (!signal.aborted) {
      await rankAll().catch((error: unknown) => signal.aborted || onFault(error));
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
