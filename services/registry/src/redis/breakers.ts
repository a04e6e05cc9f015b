import type { RedisClient } from "@bourse/service/redis";
import { KEPT_MS, LOOK_MS } from "../availability-store.ts";
import { type Breaker, type BreakerEvent, isBreakerNews, REMEMBERED_MS } from "../breaker.ts";
import type { BreakerStore } from "../breaker-store.ts";
import { createBreakerView, stepThrough } from "../breaker-view.ts";
import { createListeners } from "../listeners.ts";
import { reckon, type ShardReport, type ShardView } from "../shard.ts";
import { type Away, available, type RedisConnection } from "./connection.ts";
import { keepLooking } from "./looking.ts";
import { keysOf, SHARDS, shardOf } from "./shards.ts";

const AWAY: Away = {
  reason: "BREAKERS_UNAVAILABLE",
  text: "the store of breakers is away; send it again",
};

/** How often a breaker is read anew that others change meanwhile. */
const ATTEMPTS = 20;

/**
 * Breakers in Redis: per agent a hash of those that have counted something, per shard who changed when. The rules run
 * here; a script writes what came of them if the breaker is still as it was read. Each replica knows those that are not
 * closed, and looks ten times a second for what has changed.
 */
export async function createRedisBreakers(options: {
  /** Stays open when the store is closed. */
  readonly redis: RedisConnection;
  readonly now: () => Date;
  /** Stands before every key; `registry` when absent. */
  readonly prefix?: string;
}): Promise<BreakerStore> {
  const nowMs = () => options.now().getTime();
  const redis = options.redis.client as RedisClient & Commands;
  const key = keysOf(options.prefix ?? "registry");
  const view = createBreakerView();
  const shards: (ShardView | undefined)[] = Array.from({ length: SHARDS });
  const listeners = createListeners<readonly string[]>();
  const away = new Set<number>();

  function tell(): void {
    const agentIds = view.untold(nowMs());
    if (agentIds.length > 0) listeners.tell(agentIds);
  }

  async function readShard(shard: number, cursor: number): Promise<ShardReport> {
    const keys = [key.breakerChanges(shard), key.breakerClock(shard)] as const;
    const [server, epoch, last, changed] = await redis.registryBreakerChanges(...keys, cursor);
    return { server, epoch, last: Number(last), changed, lapsed: [] };
  }

  /** What is read later on a connection is never older, so the view may take it in as it comes. */
  function learn(agentId: string): Promise<void> {
    return redis.hgetall(key.breakers(agentId)).then((stored) => {
      const breakers = Object.entries(stored).map(([capability, text]) => {
        return { capability, breaker: parse(text) };
      });
      view.learn(agentId, breakers, nowMs());
    });
  }

  async function lookAt(shard: number): Promise<void> {
    const seen = shards[shard];
    const report = await readShard(shard, seen?.cursor ?? 0);
    const { next, agentIds, lost } = reckon(seen, report, nowMs());
    const changed = lost ? (await readShard(shard, 0)).changed : agentIds;
    // What it wrote itself before it saw the shard begin may have been lost unseen.
    const isDoubted = lost || seen?.epoch === "";
    const known = isDoubted ? view.agentIds().filter((id) => shardOf(id) === shard) : [];
    await Promise.all([...new Set([...changed, ...known])].map(learn));
    // Only now: what could not be read is looked for again.
    shards[shard] = next;
  }

  async function tryLookAt(shard: number): Promise<void> {
    try {
      await lookAt(shard);
      away.delete(shard);
    } catch (error) {
      away.add(shard);
      throw error;
    }
  }

  async function change(agentId: string, capability: string, events: readonly BreakerEvent[]) {
    const shard = shardOf(agentId);
    const breakers = key.breakers(agentId);
    let text = (await redis.hget(breakers, capability)) ?? "";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const step = stepThrough(text === "" ? undefined : parse(text), events, nowMs());
      if (step.after === undefined || step.after === step.before) return step;
      const keys = [breakers, key.breakerChanges(shard), key.breakerClock(shard)] as const;
      const next = JSON.stringify(step.after);
      const news = isBreakerNews(step.before, step.after);
      const is = await redis.registryBreakerWrite(
        ...keys,
        ...[agentId, capability, text, next, 2 * REMEMBERED_MS, KEPT_MS, news ? "1" : ""],
      );
      if (is === "") {
        if (news) {
          await learn(agentId);
          tell();
        }
        return step;
      }
      text = is;
    }
    throw new Error(`the breaker of '${agentId}' changes too often`);
  }

  const looking = await keepLooking({ pauseMs: LOOK_MS, lookAt: tryLookAt, tell });
  return {
    change: (agentId, capability, events) =>
      available(AWAY, () => change(agentId, capability, events)),
    known: (agentId) => view.known(agentId, nowMs()),
    all: () => view.all(nowMs()),
    isStale: () => away.size > 0,
    counts: () => view.counts(nowMs()),
    list: (agentId) =>
      available(AWAY, async () => (await redis.hkeys(key.breakers(agentId))).sort()),
    async forget(agentId) {
      view.learn(agentId, [], nowMs());
      const changes = key.breakerChanges(shardOf(agentId));
      await Promise.allSettled([redis.del(key.breakers(agentId)), redis.zrem(changes, agentId)]);
    },
    async changedSince(since) {
      // What a change brings about by the clock comes within the time that it is remembered.
      const cursor = (since.getTime() - REMEMBERED_MS) * 1_000;
      const reports = await Promise.allSettled(shards.map((_, shard) => readShard(shard, cursor)));
      const changed = reports.flatMap((one) =>
        one.status === "fulfilled" ? one.value.changed : [],
      );
      return [...new Set([...changed, ...view.agentIds()])];
    },
    subscribe: listeners.subscribe,
    [Symbol.asyncDispose]: () => looking[Symbol.asyncDispose](),
  };
}

interface Commands {
  registryBreakerWrite(...parameters: readonly (string | number)[]): Promise<string>;
  registryBreakerChanges(
    ...parameters: readonly (string | number)[]
  ): Promise<readonly [string, string, string, readonly string[]]>;
}

function parse(text: string): Breaker {
  return JSON.parse(text) as Breaker;
}
