import {
  hasLapsed,
  isNews,
  lapseMsOf,
  loadAt,
  NO_LOAD,
  type Presence,
  type Told,
} from "./availability.ts";
import {
  type AvailabilityChange,
  type AvailabilityStore,
  type Beat,
  KEPT_MS,
  type SlotAnswer,
  type SlotClaim,
} from "./availability-store.ts";
import { createDueQueue } from "./due-queue.ts";
import { createListeners } from "./listeners.ts";
import { createMemorySlots } from "./memory-slots.ts";
import { createUpkeep } from "./memory-upkeep.ts";
import { SLOTS_MAX } from "./share.ts";

/** Availability in the memory of this process: for one replica, and gone with it. */
export function createMemoryAvailability(options: { readonly now: () => Date }): AvailabilityStore {
  const { now } = options;
  const startedMs = now().getTime();
  const entries = new Map<string, Told>();
  const lapses = createDueQueue();
  const listeners = createListeners<AvailabilityChange>();
  /** When watchers last had to hear of whom. */
  const changedMs = new Map<string, number>();
  let changed = new Set<string>();
  let lookedMs = startedMs;
  /** When slots of whom last began or ended. */
  const slotsMs = new Map<string, number>();
  const slots = createMemorySlots((agentId) => {
    slotsMs.set(agentId, now().getTime());
    noteChange(agentId);
  });

  function noteChange(agentId: string): void {
    changed.add(agentId);
    changedMs.set(agentId, now().getTime());
  }

  function look(): void {
    const nowMs = now().getTime();
    if (nowMs < lookedMs) tellAgain(nowMs, lookedMs);
    lookedMs = nowMs;
    for (const agentId of lapses.takeDue(nowMs)) {
      const entry = entries.get(agentId);
      const lapseMs = entry === undefined ? 0 : lapseMsOf(entry);
      if (lapseMs > nowMs) lapses.put(agentId, lapseMs);
      else if (lapseMs > 0) changed.add(agentId);
    }
    slots.endDue(nowMs);
    if (changed.size === 0) return;
    const agentIds = [...changed];
    changed = new Set();
    listeners.tell({ kind: "agents", agentIds });
  }

  /** A clock that was set back has made leases and reports hold again that were told to have lapsed. */
  function tellAgain(nowMs: number, untilMs: number): void {
    for (const [agentId, entry] of entries) {
      const lapseMs = lapseMsOf(entry);
      if (lapseMs <= nowMs || lapseMs > untilMs) continue;
      changed.add(agentId);
      lapses.put(agentId, lapseMs);
    }
  }

  function forgetOld(): void {
    const oldMs = now().getTime() - KEPT_MS;
    for (const [agentId, { leaseExpireMs, heardMs }] of entries) {
      if (Math.max(leaseExpireMs, heardMs) < oldMs) entries.delete(agentId);
    }
    for (const times of [changedMs, slotsMs]) {
      for (const [agentId, ms] of times) if (ms < oldMs) times.delete(agentId);
    }
  }

  function presenceOf(agentId: string): Presence | undefined {
    const entry = entries.get(agentId);
    const changedAtMs = slotsMs.get(agentId);
    if (entry === undefined && changedAtMs === undefined) return undefined;
    return {
      reported: entry?.reported ?? NO_LOAD,
      openSlots: slots.count(agentId),
      slotsChangedAt: changedAtMs === undefined ? undefined : new Date(changedAtMs),
      heardAt: entry && new Date(entry.heardMs),
      leaseExpireAt: entry && entry.leaseExpireMs > 0 ? new Date(entry.leaseExpireMs) : undefined,
    };
  }

  function acquire(claim: SlotClaim): SlotAnswer {
    const { agentId, now, expireAt, share } = claim;
    const endMs = slots.endOf(claim, now.getTime());
    if (endMs !== undefined) return { expireAt: new Date(endMs) };
    const presence = presenceOf(agentId);
    const lapsed = !(presence?.leaseExpireAt !== undefined && presence.leaseExpireAt > now);
    if (!claim.takesWork || (claim.isLeased && lapsed)) return "NOT_AVAILABLE";
    const { inFlight } = loadAt(presence, now);
    if (inFlight >= claim.maxConcurrent || slots.count(agentId) >= SLOTS_MAX) return "FULL";
    if (share && slots.countOf(agentId, share.holder) >= share.most) return "SHARE_TAKEN";
    slots.open(claim, expireAt.getTime(), share?.holder);
    return { expireAt };
  }

  return {
    async beat(beat) {
      const { agentId } = beat;
      const { entry, news } = nextEntry(entries.get(agentId), beat);
      entries.set(agentId, entry);
      const lapseMs = lapseMsOf(entry);
      if (lapseMs > 0) lapses.put(agentId, lapseMs);
      if (news) noteChange(agentId);
      return presenceOf(agentId) as Presence;
    },
    async read(agentIds) {
      const known = agentIds.flatMap((agentId) => {
        const presence = presenceOf(agentId);
        return presence === undefined ? [] : [[agentId, presence] as const];
      });
      return new Map(known);
    },
    async countLeases() {
      const nowMs = now().getTime();
      let leases = 0;
      for (const { leaseExpireMs } of entries.values()) if (leaseExpireMs > nowMs) leases++;
      return leases;
    },
    acquireSlot: async (claim) => acquire(claim),
    renewSlot: async (slot) => slots.move(slot, slot.now.getTime(), slot.expireAt.getTime()),
    releaseSlot: async (slot) => slots.drop(slot, slot.now.getTime()),
    async forget(agentId) {
      entries.delete(agentId);
      changedMs.delete(agentId);
      slotsMs.delete(agentId);
      slots.forget(agentId);
    },
    async changesSince(since) {
      const sinceMs = since.getTime();
      if (sinceMs < startedMs) return { kind: "all" };
      const nowMs = now().getTime();
      const agentIds = new Set<string>();
      for (const [agentId, ms] of changedMs) if (ms >= sinceMs) agentIds.add(agentId);
      for (const [agentId, entry] of entries) {
        const lapseMs = lapseMsOf(entry);
        if (lapseMs > sinceMs && lapseMs <= nowMs) agentIds.add(agentId);
      }
      return { kind: "agents", agentIds: [...agentIds] };
    },
    toldUntil: () => new Date(lookedMs),
    staleSince: () => undefined,
    subscribe: listeners.subscribe,
    ...createUpkeep(look, forgetOld),
  };
}

function nextEntry(before: Told | undefined, beat: Beat): { entry: Told; news: boolean } {
  const nowMs = beat.now.getTime();
  const lapseMs = before === undefined ? 0 : lapseMsOf(before);
  const isForgotten = beat.isFresh === true || hasLapsed(lapseMs, nowMs);
  const was = isForgotten ? NO_LOAD : (before?.reported ?? NO_LOAD);
  const { inFlight, queueLength, utilizationPpm } = beat.reported ?? {};
  const reported = {
    inFlight: inFlight ?? was.inFlight,
    queueLength: queueLength ?? was.queueLength,
    utilizationPpm: utilizationPpm ?? was.utilizationPpm,
  };
  const leaseExpireMs = beat.leaseExpireAt?.getTime() ?? 0;
  const news = isNews(before, { reported, leaseExpireMs }, nowMs);
  const toldExpireMs = news ? leaseExpireMs : (before?.toldExpireMs ?? 0);
  const toldUtilizationPpm = news
    ? (reported.utilizationPpm ?? 0)
    : (before?.toldUtilizationPpm ?? 0);
  const told = { toldExpireMs, toldUtilizationPpm };
  return { news, entry: { reported, leaseExpireMs, ...told, heardMs: nowMs } };
}
