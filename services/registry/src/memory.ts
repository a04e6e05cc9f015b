import { isNews, type Presence, type Told } from "./availability.ts";
import {
  type AvailabilityChange,
  type AvailabilityStore,
  type Beat,
  KEPT_MS,
  LOOK_MS,
} from "./availability-store.ts";

interface Entry extends Told {
  readonly heardMs: number;
  /** When watchers last had to hear of it. */
  readonly changedMs: number;
}

/** Availability in the memory of this process: for one replica, and gone with it. */
export function createMemoryAvailability(options: { readonly now: () => Date }): AvailabilityStore {
  const { now } = options;
  const entries = new Map<string, Entry>();
  const listeners = new Set<(change: AvailabilityChange) => void>();
  const startedMs = now().getTime();
  let changed = new Set<string>();
  let lookedMs = startedMs;

  function look(): void {
    const nowMs = now().getTime();
    // A clock that was set back has made leases hold again that were told to have lapsed.
    const [afterMs, untilMs] = [Math.min(lookedMs, nowMs), Math.max(lookedMs, nowMs)];
    lookedMs = nowMs;
    for (const [agentId, entry] of entries) {
      if (entry.leaseExpireMs > afterMs && entry.leaseExpireMs <= untilMs) changed.add(agentId);
      if (Math.max(entry.leaseExpireMs, entry.heardMs) < nowMs - KEPT_MS) entries.delete(agentId);
    }
    if (changed.size === 0) return;
    const agentIds = [...changed];
    changed = new Set();
    for (const listener of listeners) listener({ kind: "agents", agentIds });
  }

  const looking = setInterval(look, LOOK_MS);
  return {
    async beat(beat) {
      const { entry, news } = nextEntry(entries.get(beat.agentId), beat);
      entries.set(beat.agentId, entry);
      if (news) changed.add(beat.agentId);
      return toPresence(entry);
    },
    async read(agentIds) {
      const known = agentIds.flatMap((agentId) => {
        const entry = entries.get(agentId);
        return entry === undefined ? [] : [[agentId, toPresence(entry)] as const];
      });
      return new Map(known);
    },
    async forget(agentId) {
      entries.delete(agentId);
    },
    async changesSince(since) {
      const sinceMs = since.getTime();
      if (sinceMs < startedMs) return { kind: "all" };
      const nowMs = now().getTime();
      const agentIds: string[] = [];
      for (const [agentId, { changedMs, leaseExpireMs }] of entries) {
        const lapsed = leaseExpireMs > sinceMs && leaseExpireMs <= nowMs;
        if (lapsed || changedMs >= sinceMs) agentIds.push(agentId);
      }
      return { kind: "agents", agentIds };
    },
    toldUntil: () => new Date(lookedMs),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(looking);
    },
  };
}

function nextEntry(before: Entry | undefined, beat: Beat): { entry: Entry; news: boolean } {
  const nowMs = beat.now.getTime();
  const inFlight = beat.inFlight ?? before?.inFlight ?? 0;
  const leaseExpireMs = beat.leaseExpireAt?.getTime() ?? 0;
  const news = isNews(before, { inFlight, leaseExpireMs }, nowMs);
  const toldExpireMs = news ? leaseExpireMs : (before?.toldExpireMs ?? 0);
  const changedMs = news ? nowMs : (before?.changedMs ?? 0);
  return { news, entry: { inFlight, leaseExpireMs, toldExpireMs, heardMs: nowMs, changedMs } };
}

function toPresence(entry: Entry): Presence {
  return {
    inFlight: entry.inFlight,
    heardAt: new Date(entry.heardMs),
    leaseExpireAt: entry.leaseExpireMs === 0 ? undefined : new Date(entry.leaseExpireMs),
  };
}
