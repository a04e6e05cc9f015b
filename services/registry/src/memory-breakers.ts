import { KEPT_MS } from "./availability-store.ts";
import { type Breaker, isBreakerNews, REMEMBERED_MS } from "./breaker.ts";
import type { BreakerStore } from "./breaker-store.ts";
import { createBreakerView, stepThrough } from "./breaker-view.ts";
import { createListeners } from "./listeners.ts";
import { createUpkeep } from "./memory-upkeep.ts";

/** Breakers in the memory of this process: for one replica, and gone with it. */
export function createMemoryBreakers(options: { readonly now: () => Date }): BreakerStore {
  const nowMs = () => options.now().getTime();
  const agents = new Map<string, Map<string, Breaker>>();
  /** When the breakers of an agent last changed, for watchers that were away. */
  const changedMs = new Map<string, number>();
  const view = createBreakerView();
  const listeners = createListeners<readonly string[]>();

  function learn(agentId: string): void {
    const stored = agents.get(agentId) ?? new Map<string, Breaker>();
    const breakers = Array.from(stored, ([capability, breaker]) => ({ capability, breaker }));
    view.learn(agentId, breakers, nowMs());
  }

  function tell(): void {
    const agentIds = view.untold(nowMs());
    if (agentIds.length > 0) listeners.tell(agentIds);
  }

  function forgetOld(): void {
    for (const [agentId, breakers] of agents) {
      for (const [capability, breaker] of breakers) {
        if (breaker.changedMs < nowMs() - REMEMBERED_MS) breakers.delete(capability);
      }
      if (breakers.size === 0) agents.delete(agentId);
    }
    for (const [agentId, ms] of changedMs) {
      if (ms < nowMs() - KEPT_MS) changedMs.delete(agentId);
    }
  }

  return {
    async change(agentId, capability, events) {
      const breakers = agents.get(agentId) ?? new Map<string, Breaker>();
      const change = stepThrough(breakers.get(capability), events, nowMs());
      if (change.after !== undefined && change.after !== change.before) {
        agents.set(agentId, breakers.set(capability, change.after));
        if (isBreakerNews(change.before, change.after)) {
          changedMs.set(agentId, nowMs());
          learn(agentId);
          tell();
        }
      }
      return change;
    },
    known: (agentId) => view.known(agentId, nowMs()),
    all: () => view.all(nowMs()),
    isStale: () => false,
    counts: () => view.counts(nowMs()),
    async list(agentId) {
      return [...(agents.get(agentId)?.keys() ?? [])].sort();
    },
    async forget(agentId) {
      agents.delete(agentId);
      learn(agentId);
      tell();
    },
    async changedSince(since) {
      // What a change brings about by the clock comes within the time that it is remembered.
      const fromMs = since.getTime() - REMEMBERED_MS;
      return [...changedMs].flatMap(([agentId, ms]) => (ms >= fromMs ? [agentId] : []));
    },
    subscribe: listeners.subscribe,
    ...createUpkeep(tell, forgetOld),
  };
}
