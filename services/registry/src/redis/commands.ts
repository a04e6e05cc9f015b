import type { RedisClient } from "@bourse/service/redis";
import { type Load, type Presence, REPORT_MS } from "../availability.ts";
import {
  type Beat,
  KEPT_MS,
  type SlotAnswer,
  type SlotClaim,
  type SlotKey,
} from "../availability-store.ts";
import type { Outage } from "../outage.ts";
import type { ShardReport } from "../shard.ts";
import { SLOTS_MAX } from "../share.ts";
import { keysOf, shardOf } from "./shards.ts";

/** What is asked of a shard. */
export interface ShardQuery {
  /** Changes after this, in microseconds. */
  readonly cursor: number;
  /** Leases and reports that lapsed after this, in milliseconds ... */
  readonly afterMs: number;
  /** ... and until this. */
  readonly untilMs: number;
  readonly nowMs: number;
}

/** A time in which no replica looked at a shard. */
export interface Unseen extends Outage {
  /** Its own. */
  readonly name: string;
}

/** What a shard answers. */
export interface ShardAnswer extends ShardReport {
  /** Agents with slots that have to end. */
  readonly due: readonly string[];
  /** The latest time in which no replica looked, and so none could hear of agents. */
  readonly unseen: Unseen | undefined;
}

type Asked = "acquire" | "renew" | "release" | "end";
type Values = readonly (string | number)[];

/** The scripts, as ioredis defines them. */
interface Scripts {
  registryBeat(...values: Values): Promise<readonly [string, string, string, string, string]>;
  registrySlot(...values: Values): Promise<string>;
  registryRead(...values: Values): Promise<readonly string[]>;
  registryForget(...values: Values): Promise<number>;
  registryChanges(
    ...values: Values
  ): Promise<readonly [string, string, string, ...(readonly string[])[]]>;
}

/** How many agents have their slots ended at once; the others wait for the next look. */
const DUE_MAX = 1_000;

/** Replicas look ten times a second; when none has for so long, none was there. */
const UNSEEN_MS = 3_000;

/** How many agents are read at once: a script holds up everybody else. */
const READ_MAX = 250;

/** Every command that availability sends to Redis; each fails when Redis does. */
export type Commands = ReturnType<typeof commandsOf>;

/** The commands over a connection; `prefix` stands before every key. */
export function commandsOf(client: RedisClient, prefix: string) {
  const redis = client as RedisClient & Scripts;
  const key = keysOf(prefix);

  function slot(asked: Asked, { agentId, slotId }: SlotKey, now: Date, ...rest: Values) {
    const shard = shardOf(agentId);
    return redis.registrySlot(
      key.presence(agentId),
      key.slots(agentId),
      key.slotEnds(shard),
      key.changes(shard),
      key.clock(shard),
      key.slotHolders(agentId),
      ...[asked, agentId, slotId, now.getTime(), rest[0] ?? 0, KEPT_MS, ...rest.slice(1)],
    );
  }

  return {
    async beat(beat: Beat): Promise<Presence> {
      const { agentId, leaseExpireAt, reported = {} } = beat;
      const shard = shardOf(agentId);
      const [inFlight, queueLength, utilizationPpm, openSlots, slotsMs] = await redis.registryBeat(
        key.presence(agentId),
        key.leases(shard),
        key.changes(shard),
        key.clock(shard),
        key.reports(shard),
        agentId,
        beat.now.getTime(),
        reported.inFlight ?? "",
        reported.queueLength ?? "",
        reported.utilizationPpm ?? "",
        leaseExpireAt?.getTime() ?? 0,
        beat.isFresh === true ? 1 : 0,
        KEPT_MS,
        REPORT_MS,
      );
      return {
        reported: loadOf(inFlight, queueLength, utilizationPpm),
        openSlots: Number(openSlots),
        slotsChangedAt: dateOf(slotsMs),
        heardAt: beat.now,
        leaseExpireAt,
      };
    },

    /** What is known of agents, at most READ_MAX and all of one shard; those that are unknown are left out. */
    async read(shard: number, agentIds: readonly string[]): Promise<ReadonlyMap<string, Presence>> {
      const keys = key.presences(shard, agentIds);
      const known = await redis.registryRead(keys.length, ...keys, ...FIELDS);
      return new Map(
        known.map((values) => {
          const [nth, inFlight, queueLength, utilizationPpm, openSlots, ...times] =
            values.split(",");
          const [slotsMs, heardMs, expireMs] = times;
          const presence = {
            reported: loadOf(inFlight, queueLength, utilizationPpm),
            openSlots: Number(openSlots),
            slotsChangedAt: dateOf(slotsMs),
            heardAt: dateOf(heardMs),
            leaseExpireAt: dateOf(expireMs),
          };
          return [agentIds[Number(nth) - 1] ?? "", presence];
        }),
      );
    },

    /** How many agents of a shard have a lease that holds. */
    countLeases(shard: number, now: Date): Promise<number> {
      return redis.zcount(key.leases(shard), `(${now.getTime()}`, "+inf");
    },

    async forget(agentId: string): Promise<void> {
      const shard = shardOf(agentId);
      const own = [key.presence(agentId), key.slots(agentId), key.slotHolders(agentId)];
      const shared = [key.leases(shard), key.changes(shard), key.slotEnds(shard)];
      await redis.registryForget(...own, ...shared, key.reports(shard), agentId);
    },

    async readShard(shard: number, query: ShardQuery): Promise<ShardAnswer> {
      const changing = [key.leases(shard), key.changes(shard), key.clock(shard)];
      const keys = [...changing, key.slotEnds(shard), key.reports(shard), key.looked(shard)];
      const { cursor, afterMs, untilMs, nowMs } = query;
      const span = [cursor, afterMs, untilMs, nowMs];
      const report = await redis.registryChanges(...keys, ...span, DUE_MAX, UNSEEN_MS, KEPT_MS);
      const [server, epoch, last, changed = [], leases = [], due = [], reports = [], ago] = report;
      const lapsed = [...leases, ...reports];
      const unseen = unseenOf(ago, nowMs);
      return { server, epoch, last: Number(last), changed, lapsed, due, unseen };
    },

    async acquireSlot(claim: SlotClaim): Promise<SlotAnswer> {
      const { now, expireAt, maxConcurrent, takesWork, isLeased, share } = claim;
      const answer = await slot(
        "acquire",
        claim,
        now,
        expireAt.getTime(),
        maxConcurrent,
        SLOTS_MAX,
        takesWork ? 1 : 0,
        isLeased ? 1 : 0,
        share?.holder ?? "",
        share?.most ?? 0,
        REPORT_MS,
      );
      if (answer === "full") return "FULL";
      if (answer === "share") return "SHARE_TAKEN";
      if (answer === "unavailable") return "NOT_AVAILABLE";
      return { expireAt: new Date(Number(answer.replace("open:", ""))) };
    },

    async renewSlot(key: SlotKey, now: Date, expireAt: Date): Promise<boolean> {
      return (await slot("renew", key, now, expireAt.getTime())) !== "none";
    },

    async releaseSlot(key: SlotKey, now: Date): Promise<boolean> {
      return (await slot("release", key, now)) === "released";
    },

    async endSlots(agentId: string, now: Date): Promise<void> {
      await slot("end", { agentId, slotId: "" }, now);
    },
  };
}

/** Agents of one shard, no more than may be read at once. */
export interface Lot {
  readonly shard: number;
  readonly agentIds: readonly string[];
}

/** The agents in lots, each of one shard. */
export function inLots(agentIds: readonly string[]): readonly Lot[] {
  const lots: Lot[] = [];
  const open: (string[] | undefined)[] = [];
  for (const agentId of agentIds) {
    const shard = shardOf(agentId);
    let ids = open[shard];
    if (ids === undefined || ids.length === READ_MAX) {
      ids = [];
      open[shard] = ids;
      lots.push({ shard, agentIds: ids });
    }
    ids.push(agentId);
  }
  return lots;
}

/** In the order in which `read` takes them. */
const FIELDS = [
  "in_flight",
  "queue_length",
  "utilization_ppm",
  "open_slots",
  "slots_ms",
  "heard_ms",
  "expire_ms",
] as const;

/** A time that is told by how long ago it began and ended, by our clock. */
function unseenOf(ago: readonly string[] = [], nowMs: number): Unseen | undefined {
  const [name = "", sinceAgo, untilAgo] = ago;
  if (name === "") return undefined;
  return { name, sinceMs: nowMs - Number(sinceAgo), untilMs: nowMs - Number(untilAgo) };
}

type Text = string | null | undefined;

function loadOf(inFlight: Text, queueLength: Text, utilizationPpm: Text): Load {
  return {
    inFlight: Number(inFlight ?? 0),
    queueLength: Number(queueLength ?? 0),
    utilizationPpm: utilizationPpm ? Number(utilizationPpm) : undefined,
  };
}

/** A time in milliseconds; none is 0 or absent. */
function dateOf(ms: Text): Date | undefined {
  const value = Number(ms ?? 0);
  return value === 0 ? undefined : new Date(value);
}
