import { hasLease, type Presence } from "../availability.ts";
import {
  type AvailabilityChange,
  type AvailabilityStore,
  KEPT_MS,
  LOOK_MS,
} from "../availability-store.ts";
import { createDueQueue } from "../due-queue.ts";
import { createListeners } from "../listeners.ts";
import { afterOutages, leaseEndMs } from "../outage.ts";
import { reckon, type ShardView } from "../shard.ts";
import { byShard, commandsOf } from "./commands.ts";
import { type Away, available, type RedisConnection } from "./connection.ts";
import { createKnown } from "./known.ts";
import { createOutages } from "./outages.ts";
import { repeat } from "./repeat.ts";
import { SHARDS } from "./shards.ts";

const AWAY: Away = {
  reason: "AVAILABILITY_UNAVAILABLE",
  text: "the store of leases is away: try again",
};

/** How the availability of all replicas is kept in Redis. */
export interface RedisAvailabilityOptions {
  /** Stays open when the store is closed. */
  readonly redis: RedisConnection;
  readonly now: () => Date;
  /** Stands before every key; `registry` when absent. */
  readonly prefix?: string;
}

/**
 * Availability in Redis; works also when Redis is away, as far as it can.
 *
 * Per shard, each with a TTL: the presence and the slots of every agent, when leases and slots end, what changed when,
 * and a clock. A replica reads every shard ten times a second, so that its watchers hear of what came through other
 * replicas; a lost reading is made up by the next, since changes are read from a cursor on. Whichever replica first
 * sees that slots are due ends them, which is a change like any other.
 *
 * Whose lease Redis has lost, or could not renew while it was away, holds for its length again as far as this replica
 * had known of it. Nobody writes that down, so the end of it is looked for among those of whom it was told.
 */
export async function createRedisAvailability(
  options: RedisAvailabilityOptions,
): Promise<AvailabilityStore> {
  const { now, prefix = "registry" } = options;
  const commands = commandsOf(options.redis.client, prefix);
  const listeners = createListeners<AvailabilityChange>();
  const known = createKnown();
  const views: (ShardView | undefined)[] = Array.from({ length: SHARDS });
  const outages = createOutages(now);
  /** When those end whose lease holds though Redis does not say so. */
  const held = createDueQueue();
  let leases = 0;

  async function lookAt(shard: number): Promise<readonly string[] | "lost"> {
    const nowMs = now().getTime();
    const view = views[shard];
    const seen = view ?? { epoch: "", cursor: 0, lapsedMs: nowMs };
    // A clock that was set back has made leases hold again that were told to have lapsed.
    const [afterMs, untilMs] = [Math.min(seen.lapsedMs, nowMs), Math.max(seen.lapsedMs, nowMs)];
    const query = { cursor: seen.cursor, afterMs, untilMs, nowMs };
    const report = await commands.readShard(shard, query);
    const { next, agentIds, lost } = reckon(view, report, nowMs);
    views[shard] = next;
    // Those that fail are due the next time, too.
    await Promise.allSettled(report.due.map((id) => commands.endSlots(id, new Date(nowMs))));
    return lost ? "lost" : agentIds;
  }

  async function look(): Promise<void> {
    const [wasStale, startMs] = [outages.sinceMs(), now().getTime()];
    const stale = known.takeStale();
    // A shard that cannot be read keeps its place; what the others told must be told on, since theirs have moved.
    const looks = await Promise.allSettled(views.map((_, shard) => lookAt(shard)));
    const seen = looks.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const isBack = seen.length === looks.length;
    if (stale !== undefined && !isBack) known.giveBack(stale);
    if (isBack) outages.end({ asOfMs: startMs, isLost: seen.includes("lost") });
    else outages.begin();
    const isAll = seen.includes("lost") || (isBack && stale?.kind === "all");
    const changed = seen.flatMap((ids) => (ids === "lost" ? [] : ids));
    changed.push(...held.takeDue(startMs));
    if (isBack && stale?.kind === "agents") changed.push(...stale.agentIds);
    if (!isAll && changed.length === 0 && outages.sinceMs() === wasStale) return;
    const change: AvailabilityChange = isAll
      ? { kind: "all" }
      : { kind: "agents", agentIds: [...new Set(changed)] };
    listeners.tell(change);
  }

  async function readTogether(agentIds: readonly string[]): Promise<ReadonlyMap<string, Presence>> {
    const found = await commands.read(agentIds).catch(() => undefined);
    if (found === undefined) return new Map(agentIds.map((agentId) => [agentId, stale(agentId)]));
    const past = outages.all();
    if (past.length === 0) {
      for (const agentId of agentIds) known.remember(agentId, found.get(agentId));
      return found;
    }
    const told = agentIds.map((agentId) => [agentId, mended(agentId, found.get(agentId))] as const);
    return new Map(told.flatMap(([id, one]) => (one === undefined ? [] : [[id, one]])));
  }

  /** What is told of an agent while Redis is away. */
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

  /** Whether a slot may be taken at an agent that has no lease in Redis. */
  function isHeld(agentId: string): boolean {
    const past = outages.all();
    const before = past.length === 0 ? undefined : known.get(agentId);
    return before !== undefined && leaseEndMs(before, past) > now().getTime();
  }

  // Where Redis can be read, watchers begin with what it knows.
  await look();
  const looking = repeat(LOOK_MS, look);
  const forgetting = setInterval(known.forgetOld, KEPT_MS).unref();
  return {
    async beat(beat) {
      const presence = await available(AWAY, () => commands.beat(beat));
      known.remember(beat.agentId, presence);
      return presence;
    },
    async read(agentIds) {
      const found = await Promise.all(byShard(agentIds).map(readTogether));
      return new Map(found.flatMap((presences) => [...presences]));
    },
    async countLeases() {
      leases = await commands.countLeases(now()).catch(() => leases);
      return leases;
    },
    acquireSlot(claim) {
      const isLeased = claim.isLeased && !isHeld(claim.agentId);
      return available(AWAY, () => commands.acquireSlot({ ...claim, isLeased }));
    },
    renewSlot: (slot) => available(AWAY, () => commands.renewSlot(slot, slot.now, slot.expireAt)),
    releaseSlot: (slot) => available(AWAY, () => commands.releaseSlot(slot, slot.now)),
    async forget(agentId) {
      known.remember(agentId, undefined);
      await commands.forget(agentId).catch(() => {});
    },
    async changesSince(since) {
      const sinceMs = since.getTime();
      const nowMs = now().getTime();
      const query = { cursor: sinceMs * 1_000, afterMs: sinceMs, untilMs: nowMs, nowMs };
      try {
        const reports = await Promise.all(
          views.map((_, shard) => commands.readShard(shard, query)),
        );
        const isLost = reports.some(({ epoch }) => epoch === "" || Number(epoch) > query.cursor);
        if (isLost) return { kind: "all" };
        const agentIds = reports.flatMap(({ changed, lapsed }) => [...changed, ...lapsed]);
        return { kind: "agents", agentIds: [...new Set(agentIds)] };
      } catch {
        return { kind: "all" };
      }
    },
    staleSince() {
      const sinceMs = outages.sinceMs();
      return sinceMs === undefined ? undefined : new Date(sinceMs);
    },
    toldUntil() {
      return new Date(Math.min(...views.map((view) => view?.lapsedMs ?? 0)));
    },
    subscribe: listeners.subscribe,
    async [Symbol.asyncDispose]() {
      clearInterval(forgetting);
      await looking[Symbol.asyncDispose]();
    },
  };
}
