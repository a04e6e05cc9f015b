import { hasLease, type Presence } from "../availability.ts";
import { createDueQueue } from "../due-queue.ts";
import { afterOutages, leaseEndMs } from "../outage.ts";
import { reckon, type ShardView } from "../shard.ts";
import type { Commands } from "./commands.ts";
import { createKnown } from "./known.ts";
import { createOutages } from "./outages.ts";

/** What a look at a shard has shown: whose availability may have changed, or that it may be anybody's. */
export interface Seen {
  readonly isAll: boolean;
  readonly agentIds: readonly string[];
}

/** The availability of the agents of one shard; the shard may be away while others are there. */
export type ShardStore = ReturnType<typeof createShardStore>;

/**
 * One shard. Whose lease Redis has lost, or could not renew while it was away, holds for its length again as far as
 * this replica had known of it. Nobody writes that down, so the end of it is looked for among those of whom it was
 * told.
 */
export function createShardStore(shard: number, commands: Commands, now: () => Date) {
  const known = createKnown();
  const outages = createOutages(now);
  /** When those end whose lease holds though Redis does not say so. */
  const held = createDueQueue();
  let view: ShardView | undefined;
  /** When it was last seen that the shard had lost something. */
  let lostAtMs = 0;
  let leases = 0;

  /** Reads what is new, and has ended what is due. */
  async function readNews(nowMs: number) {
    const seen = view ?? { epoch: "", cursor: 0, lapsedMs: nowMs };
    // A clock that was set back has made leases hold again that were told to have lapsed.
    const [afterMs, untilMs] = [Math.min(seen.lapsedMs, nowMs), Math.max(seen.lapsedMs, nowMs)];
    const query = { cursor: seen.cursor, afterMs, untilMs, nowMs };
    const report = await commands.readShard(shard, query);
    const { next, agentIds, lost } = reckon(view, report, nowMs);
    if (lost && view !== undefined) lostAtMs = nowMs;
    outages.note(report.unseen);
    view = next;
    // Those that fail are due the next time, too.
    await Promise.allSettled(report.due.map((id) => commands.endSlots(id, new Date(nowMs))));
    return { agentIds, lost };
  }

  /** What is told of an agent while the shard is away. */
  function stale(agentId: string): Presence {
    const presence = known.stale(agentId, new Date(outages.lostMs()));
    return afterOutages(presence, undefined, outages.past()) ?? presence;
  }

  /** What is told of an agent of which Redis says `found` after it was away. */
  function mended(agentId: string, found: Presence | undefined): Presence | undefined {
    const before = found?.heardAt === undefined ? known.get(agentId) : undefined;
    const presence = afterOutages(found, before, outages.all());
    const isHeld = presence !== found && hasLease(presence, now());
    if (isHeld) held.put(agentId, presence?.leaseExpireAt?.getTime() ?? 0);
    // What it was before is needed as long as it holds.
    if (!isHeld || found?.heardAt !== undefined) known.remember(agentId, found);
    return isHeld ? presence : found;
  }

  return {
    remember: known.remember,
    forgetOld: known.forgetOld,

    /** Looks for what is new since the last look. @throws when the shard is away */
    async look(): Promise<Seen> {
      const startMs = now().getTime();
      const stale = known.takeStale();
      try {
        const { agentIds, lost } = await readNews(startMs);
        outages.end({ asOfMs: startMs, isLost: lost });
        const told = stale?.kind === "agents" ? stale.agentIds : [];
        const isAll = lost || stale?.kind === "all";
        return { isAll, agentIds: [...agentIds, ...held.takeDue(startMs), ...told] };
      } catch (error) {
        outages.begin();
        // Who was told something stale is told again once the shard is back.
        if (stale !== undefined) known.giveBack(stale);
        throw error;
      }
    },

    /** What is known of agents; never fails, and says so of what is stale. */
    async read(agentIds: readonly string[]): Promise<ReadonlyMap<string, Presence>> {
      const found = await commands.read(shard, agentIds).catch(() => undefined);
      if (found === undefined) return new Map(agentIds.map((agentId) => [agentId, stale(agentId)]));
      if (outages.all().length === 0) {
        for (const agentId of agentIds) known.remember(agentId, found.get(agentId));
        return found;
      }
      const told = agentIds.map((id) => [id, mended(id, found.get(id))] as const);
      return new Map(told.flatMap(([id, one]) => (one === undefined ? [] : [[id, one]])));
    },

    /** Whether a slot may be taken at an agent that has no lease in Redis. */
    isHeld(agentId: string): boolean {
      const past = outages.all();
      const before = past.length === 0 ? undefined : known.get(agentId);
      return before !== undefined && leaseEndMs(before, past) > now().getTime();
    },

    /** How many of its agents have a lease that holds; the last known while it is away. */
    async countLeases(): Promise<number> {
      leases = await commands.countLeases(shard, now()).catch(() => leases);
      return leases;
    },

    /** Since when it is away. */
    sinceMs: outages.sinceMs,
    /** Until when what has changed was looked for; 0 when it was never there. */
    toldUntilMs: () => view?.lapsedMs ?? 0,
    lostAtMs: () => lostAtMs,
  };
}
