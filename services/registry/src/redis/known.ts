import type { Presence } from "../availability.ts";
import type { AvailabilityChange } from "../availability-store.ts";

/** What this replica last knew of agents, for the time when Redis is away. */
export interface Known {
  remember(agentId: string, presence: Presence | undefined): void;
  get(agentId: string): Presence | undefined;
  /** What was last known, as of when the store was lost; that it was asked for is remembered. */
  stale(agentId: string, since: Date): Presence;
  /** Whom `stale` was asked for since the last time; undefined for nobody. */
  takeStale(): AvailabilityChange | undefined;
  /** Takes back what `takeStale` gave, since Redis is still away. */
  giveBack(change: AvailabilityChange): void;
  /** Forgets what was not remembered anew since the last call but one. */
  forgetOld(): void;
}

const NEVER_HEARD: Presence = {
  reported: { inFlight: 0, queueLength: 0, utilizationPpm: undefined },
  openSlots: 0,
  slotsChangedAt: undefined,
  heardAt: undefined,
  leaseExpireAt: undefined,
};

/** So many agents are remembered one by one as asked for; more are all. */
const STALE_MAX = 10_000;

/** Nothing is known yet. Presences are kept as texts, which take less memory: there may be a million. */
export function createKnown(): Known {
  let texts = new Map<string, string>();
  let older = new Map<string, string>();
  let stale = new Set<string>();
  let isAllStale = false;

  function get(agentId: string): Presence | undefined {
    const text = texts.get(agentId) ?? older.get(agentId);
    return text === undefined ? undefined : presenceOf(text);
  }

  return {
    get,
    remember(agentId, presence) {
      older.delete(agentId);
      if (presence === undefined) texts.delete(agentId);
      else texts.set(agentId, textOf(presence));
    },
    stale(agentId, since) {
      if (stale.size < STALE_MAX) stale.add(agentId);
      else isAllStale = true;
      return { ...(get(agentId) ?? NEVER_HEARD), staleSince: since };
    },
    takeStale() {
      if (!isAllStale && stale.size === 0) return undefined;
      const change: AvailabilityChange = isAllStale
        ? { kind: "all" }
        : { kind: "agents", agentIds: [...stale] };
      isAllStale = false;
      stale = new Set();
      return change;
    },
    giveBack(change) {
      if (change.kind === "all") isAllStale = true;
      else for (const agentId of change.agentIds) stale.add(agentId);
    },
    forgetOld() {
      older = texts;
      texts = new Map();
    },
  };
}

function textOf({ reported, openSlots, ...dates }: Presence): string {
  const { inFlight, queueLength, utilizationPpm } = reported;
  const { slotsChangedAt, heardAt, leaseExpireAt } = dates;
  const times = [slotsChangedAt, heardAt, leaseExpireAt].map((date) => date?.getTime());
  // Joined, it is one piece of memory; put together from parts it would keep them all.
  return [inFlight, queueLength, utilizationPpm, openSlots, ...times].join(",");
}

function presenceOf(text: string): Presence {
  const [inFlight, queueLength, utilization, openSlots, slotsMs, heardMs, expireMs] = text
    .split(",")
    .map((part) => (part === "" ? undefined : Number(part)));
  return {
    reported: {
      inFlight: inFlight ?? 0,
      queueLength: queueLength ?? 0,
      utilizationPpm: utilization,
    },
    openSlots: openSlots ?? 0,
    slotsChangedAt: dateOf(slotsMs),
    heardAt: dateOf(heardMs),
    leaseExpireAt: dateOf(expireMs),
  };
}

function dateOf(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}
