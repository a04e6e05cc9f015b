import { readFileSync } from "node:fs";
import { Rejection } from "@bourse/rpc/rejection";
import { Cluster, Redis } from "ioredis";
import type { Presence } from "./availability.ts";
import {
  type AvailabilityChange,
  type AvailabilityStore,
  type Beat,
  KEPT_MS,
  LOOK_MS,
} from "./availability-store.ts";
import { reckon, type ShardReport, type ShardView } from "./shard.ts";

/** How the availability of all replicas is kept in Redis. */
export interface RedisAvailabilityOptions {
  /** `redis://host:port`; several nodes of a cluster are separated by commas. */
  readonly url: string;
  readonly now: () => Date;
  /** Told when Redis goes away or comes back. */
  readonly onFault?: (error: unknown) => void;
  /** Stands before every key; `registry` when absent. */
  readonly prefix?: string;
}

/** Agents are spread over this many slots of a cluster. Changing it loses what is in Redis, which agents say again. */
const SHARDS = 8;
const COMMAND_MS = 1_000;
const RECONNECT_MS_MAX = 2_000;

/**
 * Opens availability in Redis; works also when Redis is away, as far as it can.
 *
 * Per shard, each with a TTL: the presence of every agent, when leases end, what changed when, and a clock. A replica
 * reads every shard four times a second, so that its watchers hear of what came through other replicas; a lost reading
 * is made up by the next, since changes are read from a cursor on.
 */
export async function createRedisAvailability(
  options: RedisAvailabilityOptions,
): Promise<AvailabilityStore> {
  const { now, onFault = () => {}, prefix = "registry" } = options;
  const redis = await connect(options.url, onFault);
  const key = keysOf(prefix);
  const listeners = new Set<(change: AvailabilityChange) => void>();
  const known = new Map<string, Presence>();
  const views: (ShardView | undefined)[] = Array.from({ length: SHARDS });
  const openedMs = now().getTime();

  async function readShard(shard: number, cursor: number, afterMs: number, untilMs: number) {
    const keys = [key.leases(shard), key.changes(shard), key.clock(shard)] as const;
    const [epoch, last, changed, lapsed] = await redis.registryChanges(
      ...keys,
      cursor,
      afterMs,
      untilMs,
    );
    return { epoch, last: Number(last), changed, lapsed } satisfies ShardReport;
  }

  async function look(): Promise<void> {
    const changed = new Set<string>();
    let isLost = false;
    // A shard that cannot be read keeps its place; what the others told must be told on, since theirs have moved.
    await Promise.allSettled(
      views.map(async (view, shard) => {
        const nowMs = now().getTime();
        const seen = view ?? { epoch: "", cursor: 0, lapsedMs: nowMs };
        // A clock that was set back has made leases hold again that were told to have lapsed.
        const [afterMs, untilMs] = [Math.min(seen.lapsedMs, nowMs), Math.max(seen.lapsedMs, nowMs)];
        const report = await readShard(shard, seen.cursor, afterMs, untilMs);
        const { next, agentIds, lost } = reckon(view, report, nowMs);
        views[shard] = next;
        isLost ||= lost;
        for (const agentId of agentIds) changed.add(agentId);
      }),
    );
    if (isLost) known.clear();
    if (!isLost && changed.size === 0) return;
    const change: AvailabilityChange = isLost
      ? { kind: "all" }
      : { kind: "agents", agentIds: [...changed] };
    for (const listener of listeners) listener(change);
  }

  function remember(agentId: string, presence: Presence | undefined): void {
    if (presence === undefined) known.delete(agentId);
    else known.set(agentId, presence);
  }

  // Where Redis can be read, watchers begin with what it knows.
  await look();
  const looking = repeat(LOOK_MS, look);
  const forgetting = setInterval(() => forgetOld(known, now().getTime()), 60_000).unref();
  return {
    async beat(beat) {
      const presence = await available(() => writeBeat(redis, key, beat));
      remember(beat.agentId, presence);
      return presence;
    },
    async read(agentIds) {
      await Promise.allSettled(
        agentIds.map(async (agentId) => remember(agentId, await readOne(redis, key, agentId))),
      );
      // Where that failed, what was last known has to do; leases in it lapse by the clock.
      return new Map(
        agentIds.flatMap((agentId) => {
          const presence = known.get(agentId);
          return presence === undefined ? [] : [[agentId, presence] as const];
        }),
      );
    },
    async forget(agentId) {
      known.delete(agentId);
      const shard = shardOf(agentId);
      const forgotten = [
        redis.del(key.presence(agentId)),
        redis.zrem(key.leases(shard), agentId),
        redis.zrem(key.changes(shard), agentId),
      ];
      await Promise.allSettled(forgotten);
    },
    async changesSince(since) {
      const nowMs = now().getTime();
      const sinceMs = since.getTime();
      try {
        const reports = await Promise.all(
          views.map((_, shard) => readShard(shard, sinceMs * 1_000, sinceMs, nowMs)),
        );
        const isLost = reports.some(({ epoch }) => epoch === "" || Number(epoch) > sinceMs * 1_000);
        if (isLost) return { kind: "all" };
        const agentIds = reports.flatMap(({ changed, lapsed }) => [...changed, ...lapsed]);
        return { kind: "agents", agentIds: [...new Set(agentIds)] };
      } catch {
        return { kind: "all" };
      }
    },
    toldUntil() {
      return new Date(Math.min(...views.map((view) => view?.lapsedMs ?? openedMs)));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(forgetting);
      await looking[Symbol.asyncDispose]();
      redis.disconnect();
    },
  };
}

type Keys = ReturnType<typeof keysOf>;

/** The keys of a shard share a hash tag, so that a script may touch them together. */
function keysOf(prefix: string) {
  const tag = (shard: number) => `${prefix}:{${prefix}-${shard}}`;
  return {
    presence: (agentId: string) => `${tag(shardOf(agentId))}:agent:${agentId}`,
    leases: (shard: number) => `${tag(shard)}:leases`,
    changes: (shard: number) => `${tag(shard)}:changes`,
    clock: (shard: number) => `${tag(shard)}:clock`,
  };
}

/** FNV-1a, which is spread well enough and the same everywhere. */
function shardOf(agentId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < agentId.length; index++) {
    hash = Math.imul(hash ^ agentId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % SHARDS;
}

interface Commands {
  registryBeat(...parameters: readonly (string | number)[]): Promise<string>;
  registryChanges(
    ...parameters: readonly (string | number)[]
  ): Promise<readonly [string, string, readonly string[], readonly string[]]>;
}

async function connect(url: string, onFault: (error: unknown) => void) {
  const connection = {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_MS,
    connectTimeout: COMMAND_MS * 2,
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(times * 100, RECONNECT_MS_MAX),
  };
  const nodes = url.split(",");
  const client: Redis | Cluster =
    nodes.length === 1
      ? new Redis(url, connection)
      : new Cluster(nodes, {
          lazyConnect: true,
          enableOfflineQueue: false,
          clusterRetryStrategy: connection.retryStrategy,
          redisOptions: connection,
        });
  client.on("error", onFault);
  client.defineCommand("registryBeat", { numberOfKeys: 4, lua: script("beat.lua") });
  client.defineCommand("registryChanges", { numberOfKeys: 3, lua: script("changes.lua") });
  // It goes on trying by itself.
  await client.connect().catch(() => {});
  return client as (Redis | Cluster) & Commands;
}

function script(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

async function writeBeat(redis: Commands, key: Keys, beat: Beat): Promise<Presence> {
  const { agentId, leaseExpireAt } = beat;
  const shard = shardOf(agentId);
  const inFlight = await redis.registryBeat(
    key.presence(agentId),
    key.leases(shard),
    key.changes(shard),
    key.clock(shard),
    agentId,
    beat.now.getTime(),
    beat.inFlight ?? "",
    leaseExpireAt?.getTime() ?? 0,
    KEPT_MS,
  );
  return { inFlight: Number(inFlight), heardAt: beat.now, leaseExpireAt };
}

async function readOne(redis: Redis | Cluster, key: Keys, agentId: string) {
  const fields = ["in_flight", "heard_ms", "expire_ms"] as const;
  const [inFlight, heardMs, expireMs] = await redis.hmget(key.presence(agentId), ...fields);
  if (heardMs === undefined || heardMs === null) return undefined;
  return {
    inFlight: Number(inFlight ?? 0),
    heardAt: new Date(Number(heardMs)),
    leaseExpireAt: Number(expireMs ?? 0) === 0 ? undefined : new Date(Number(expireMs)),
  } satisfies Presence;
}

async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const text = "the store of leases is away; send the heartbeat again";
    const rejection = new Rejection("AVAILABILITY_UNAVAILABLE", text, { retryAfterMs: 1_000 });
    rejection.cause = cause;
    throw rejection;
  }
}

function forgetOld(known: Map<string, Presence>, nowMs: number): void {
  for (const [agentId, { heardAt, leaseExpireAt }] of known) {
    const lastMs = Math.max(heardAt.getTime(), leaseExpireAt?.getTime() ?? 0);
    if (lastMs < nowMs - KEPT_MS) known.delete(agentId);
  }
}

/** Runs `work` again and again, `pauseMs` after it ended, well or badly. */
function repeat(pauseMs: number, work: () => Promise<void>): AsyncDisposable {
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;
  const loop = (async () => {
    while (!isStopping) {
      await work().catch(() => {});
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, pauseMs);
      await Promise.race([promise, stopping.promise]);
      clearTimeout(timer);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      isStopping = true;
      stopping.resolve();
      await loop;
    },
  };
}
