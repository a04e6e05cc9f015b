import {
  type AvailabilityChange,
  type AvailabilityStore,
  KEPT_MS,
  LOOK_MS,
} from "../availability-store.ts";
import { createListeners } from "../listeners.ts";
import { commandsOf, inLots } from "./commands.ts";
import { type Away, available, type RedisConnection } from "./connection.ts";
import { keepLooking } from "./looking.ts";
import { createShardStore, type ShardStore } from "./shard-store.ts";
import { SHARDS, shardOf } from "./shards.ts";

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
 */
export async function createRedisAvailability(
  options: RedisAvailabilityOptions,
): Promise<AvailabilityStore> {
  const { now, prefix = "registry" } = options;
  const commands = commandsOf(options.redis.client, prefix);
  const listeners = createListeners<AvailabilityChange>();
  const shards = Array.from({ length: SHARDS }, (_, shard) =>
    createShardStore(shard, commands, now),
  );
  const shardOfAgent = (agentId: string) => shards[shardOf(agentId)] as ShardStore;
  let isAllNews = false;
  let news: string[] = [];
  let toldStaleMs: number | undefined;

  async function lookAt(shard: number): Promise<void> {
    const { isAll, agentIds } = await (shards[shard] as ShardStore).look();
    isAllNews ||= isAll;
    news.push(...agentIds);
  }

  function staleSinceMs(): number | undefined {
    const times = shards.flatMap((shard) => shard.sinceMs() ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  function tell(): void {
    const staleMs = staleSinceMs();
    if (!isAllNews && news.length === 0 && staleMs === toldStaleMs) return;
    const change: AvailabilityChange = isAllNews
      ? { kind: "all" }
      : { kind: "agents", agentIds: [...new Set(news)] };
    isAllNews = false;
    news = [];
    toldStaleMs = staleMs;
    listeners.tell(change);
  }

  const looking = await keepLooking({ pauseMs: LOOK_MS, lookAt, tell });
  const forgetOld = () => {
    for (const shard of shards) shard.forgetOld();
  };
  const forgetting = setInterval(forgetOld, KEPT_MS).unref();
  return {
    async beat(beat) {
      const presence = await available(AWAY, () => commands.beat(beat));
      shardOfAgent(beat.agentId).remember(beat.agentId, presence);
      return presence;
    },
    async read(agentIds) {
      const found = await Promise.all(
        inLots(agentIds).map((lot) => (shards[lot.shard] as ShardStore).read(lot.agentIds)),
      );
      return new Map(found.flatMap((presences) => [...presences]));
    },
    async countLeases() {
      const counts = await Promise.all(shards.map((shard) => shard.countLeases()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    acquireSlot(claim) {
      const isLeased = claim.isLeased && !shardOfAgent(claim.agentId).isHeld(claim.agentId);
      return available(AWAY, () => commands.acquireSlot({ ...claim, isLeased }));
    },
    renewSlot: (slot) => available(AWAY, () => commands.renewSlot(slot, slot.now, slot.expireAt)),
    releaseSlot: (slot) => available(AWAY, () => commands.releaseSlot(slot, slot.now)),
    async forget(agentId) {
      shardOfAgent(agentId).remember(agentId, undefined);
      await commands.forget(agentId).catch(() => {});
    },
    async changesSince(since) {
      const sinceMs = since.getTime();
      const nowMs = now().getTime();
      const query = { cursor: sinceMs * 1_000, afterMs: sinceMs, untilMs: nowMs, nowMs };
      try {
        const reports = await Promise.all(
          shards.map((_, shard) => commands.readShard(shard, query)),
        );
        const isLost =
          shards.some((shard) => shard.lostAtMs() >= sinceMs) ||
          reports.some(({ epoch }) => epoch === "" || Number(epoch) > query.cursor);
        if (isLost) return { kind: "all" };
        const agentIds = reports.flatMap(({ changed, lapsed }) => [...changed, ...lapsed]);
        return { kind: "agents", agentIds: [...new Set(agentIds)] };
      } catch {
        return { kind: "all" };
      }
    },
    staleSince() {
      const sinceMs = staleSinceMs();
      return sinceMs === undefined ? undefined : new Date(sinceMs);
    },
    toldUntil() {
      return new Date(Math.min(...shards.map((shard) => shard.toldUntilMs())));
    },
    subscribe: listeners.subscribe,
    async [Symbol.asyncDispose]() {
      clearInterval(forgetting);
      await looking[Symbol.asyncDispose]();
    },
  };
}
