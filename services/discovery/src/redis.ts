import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Cluster, Redis } from "ioredis";
import { createMemoryRotation } from "./memory.ts";
import type { Rotation, Step, Turn } from "./rotation.ts";

/** A connection to one Redis or to a cluster. */
export type RedisClient = Redis | Cluster;

/** What a shared rotation is made of. */
export interface RedisRotationOptions {
  /** Closed with the rotation. */
  readonly redis: RedisClient;
  readonly now: () => Date;
  /** Is told when Redis is lost, once, and when it is back. */
  readonly onLost?: (error: unknown) => void;
  readonly onBack?: () => void;
}

/** A rotation that is forgotten after a day without a turn; it begins anywhere. */
const LIFE_MS = 86_400_000;
/** How long Redis is left alone after it failed. */
const PAUSE_MS = 1_000;
/** Each failed attempt is a turn that another replica took, so this many mean that something is wrong. */
const ATTEMPTS_MAX = 1_000;
const COMMAND_TIMEOUT_MS = 250;

const TURN = readFileSync(new URL("./turn.lua", import.meta.url), "utf8");

type TakeTurn = (
  key: string,
  from: string,
  to: string,
  lifeMs: number,
) => Promise<readonly [moved: number, cursor: string]>;

/** Connects to `redis://host:port`, or to a cluster when several URLs stand there, separated by commas. */
export function connectRedis(url: string): RedisClient {
  const options = { commandTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 0 };
  const urls = url.split(",");
  const redis =
    urls.length === 1
      ? new Redis(url, options)
      : new Cluster(urls, { redisOptions: options, enableOfflineQueue: false });
  // A lost connection shows in the commands; without a listener the event would be printed.
  redis.on("error", () => {});
  return redis;
}

/**
 * Keeps the cursors in Redis, where all replicas take turns. Turns of this process go one after the other, so that they
 * contend with other replicas only. While Redis is away this process goes on alone from the last cursor it knows.
 */
export function createRedisRotation(options: RedisRotationOptions): Rotation & Disposable {
  const { redis, now, onLost = () => {}, onBack = () => {} } = options;
  redis.defineCommand("takeTurn", { numberOfKeys: 1, lua: TURN });
  const takeTurn = (redis as unknown as { takeTurn: TakeTurn }).takeTurn.bind(redis);
  const known = createMemoryRotation();
  const queues = new Map<string, Promise<unknown>>();
  let lost = false;
  let pausedUntilMs = 0;

  async function together(key: string, step: Step): Promise<Turn> {
    const redisKey = keyOf(key);
    let from = known.cursorOf(key);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const [moved, cursor] = await takeTurn(redisKey, from ?? "", step(from), LIFE_MS);
      if (moved === 1) {
        known.moveTo(key, cursor);
        return { cursor, alone: false };
      }
      from = cursor === "" ? undefined : cursor;
    }
    throw new Error(`${ATTEMPTS_MAX} turns were lost to others`);
  }

  async function take(key: string, step: Step): Promise<Turn> {
    if (now().getTime() >= pausedUntilMs) {
      try {
        const turn = await together(key, step);
        if (lost) onBack();
        lost = false;
        return turn;
      } catch (error) {
        pausedUntilMs = now().getTime() + PAUSE_MS;
        if (!lost) onLost(error);
        lost = true;
      }
    }
    return { ...(await known.turn(key, step)), alone: true };
  }

  return {
    async turn(key, step) {
      const turn = (queues.get(key) ?? Promise.resolve()).then(() => take(key, step));
      const settled = turn.catch(() => {});
      queues.set(key, settled);
      try {
        return await turn;
      } finally {
        if (queues.get(key) === settled) queues.delete(key);
      }
    },
    [Symbol.dispose]: () => redis.disconnect(),
  };
}

/** The key of a rotation; the braces keep it on one node of a cluster whatever else is named in it. */
function keyOf(key: string): string {
  const digest = createHash("sha256").update(key).digest("base64url").slice(0, 22);
  return `bourse:discovery:turn:{${digest}}`;
}
