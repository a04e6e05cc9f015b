import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { RedisClient } from "@bourse/service/redis";
import { Cluster, Command } from "ioredis";
import { gathering, walk } from "./gathering.ts";
import { createCursors } from "./memory.ts";
import { digestOf, type Rotation, type Step, type Turn } from "./rotation.ts";

/** What a shared rotation is made of. */
export interface RedisRotationOptions {
  /** Closed with the rotation. */
  readonly redis: RedisClient;
  readonly now: () => Date;
  /** Is told when Redis, or this node of a cluster, is lost, once, and when it is back. */
  readonly onLost?: (error: unknown, node: string) => void;
  readonly onBack?: (node: string) => void;
}

/** A rotation that is forgotten after a day without a turn begins anywhere. */
const LIFE_MS = 86_400_000;
/** One that took its first turns only: who asks with ever new filters must not fill Redis for a day. */
const FIRST_LIFE_MS = 3_600_000;
/** How long Redis is left alone after it failed. */
const PAUSE_MS = 1_000;
/** How long an answer is waited for. */
export const COMMAND_MS = 250;
/** A connection that was cut is there again by then. */
const RECONNECTED_MS = 150;
/** A replica that lost so often, as one far from Redis may, claims the next move. */
const LOSSES_BEFORE_CLAIM = 3;
/** Long enough for an answer and the next command; so long a replica that dies holds the others up. */
const CLAIM_MS = COMMAND_MS;
/** How long a replica waits for the one that has claimed the next move. */
const CLAIMED_PAUSE_MS = 1;
/** Attempts end long before, by a claim; so many mean that something is wrong. */
const ATTEMPTS_MAX = 1_000;

const TURN = readFileSync(new URL("./turn.lua", import.meta.url), "utf8");

type Move = (
  key: string,
  from: string,
  to: string,
  lifeMs: number,
  replica: string,
  claimMs: number,
  nth: number,
) => Promise<readonly [outcome: 0 | 1 | 2, cursor: string]>;

/**
 * Keeps the cursors in Redis, where all replicas take turns. The turns of a key that this process is asked for while a
 * move is under way are gathered and go with the next: one command moves the cursor by all their steps. A move whose
 * answer is lost or late is sent once more, and made once all the same. While Redis is away this process goes on alone
 * from the last cursor it knows; in a cluster with the rotations of the node that is away.
 */
export function createRedisRotation(options: RedisRotationOptions): Rotation & Disposable {
  const { redis, now, onLost = () => {}, onBack = () => {} } = options;
  redis.defineCommand("moveTurn", { numberOfKeys: 1, lua: TURN });
  const move = (redis as unknown as { moveTurn: Move }).moveTurn.bind(redis);
  const replica = randomUUID();
  const known = createCursors();
  let moves = 0;
  /** The nodes that are lost, and how long each is left alone. */
  const lost = new Map<string, number>();

  /** Sends a move; once more when no answer came, since Redis may have made it, and then says so. */
  async function sent(...facts: Parameters<Move>): ReturnType<Move> {
    try {
      return await move(...facts);
    } catch (error) {
      // Who knows already that Redis is away keeps nobody waiting twice.
      if (lost.has(nodeOf(redis, facts[0]))) throw error;
      // One Redis holds the next command back until then; a node of a cluster refuses it.
      if (redis.isCluster) await setTimeout(RECONNECTED_MS);
      return move(...facts);
    }
  }

  async function together(digest: string, steps: readonly Step[]): Promise<readonly Turn[]> {
    const key = keyOf(digest);
    let from = known.get(digest);
    let believed = from ?? "";
    let losses = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const { cursors, end } = walk(from, steps);
      if (end === undefined) return turnsOf(cursors, false);
      const lifeMs = believed === "" ? FIRST_LIFE_MS : LIFE_MS;
      const claimMs = losses < LOSSES_BEFORE_CLAIM ? 0 : CLAIM_MS;
      moves += 1;
      const [outcome, stands] = await sent(key, believed, end, lifeMs, replica, claimMs, moves);
      if (outcome === 1) {
        known.set(digest, end);
        return turnsOf(cursors, false);
      }
      believed = stands;
      // A Redis that came back empty is told where this replica stands.
      if (stands !== "") {
        from = stands;
        // Who has to go on alone gives the turns that a move without an answer may have taken.
        known.set(digest, stands);
      }
      losses += 1;
      if (outcome === 2) await setTimeout(CLAIMED_PAUSE_MS);
    }
    throw new Error(`${ATTEMPTS_MAX} moves were lost to others`);
  }

  async function takeAll(key: string, steps: readonly Step[]): Promise<readonly Turn[]> {
    const digest = digestOf(key);
    const node = nodeOf(redis, keyOf(digest));
    if (now().getTime() >= (lost.get(node) ?? 0)) {
      try {
        const turns = await together(digest, steps);
        if (lost.delete(node)) onBack(node);
        return turns;
      } catch (error) {
        if (!lost.has(node)) onLost(error, node);
        lost.set(node, now().getTime() + PAUSE_MS);
      }
    }
    const { cursors, end } = walk(known.get(digest), steps);
    if (end !== undefined) known.set(digest, end);
    return turnsOf(cursors, true);
  }

  async function peek(key: string): Promise<Turn> {
    const digest = digestOf(key);
    try {
      const cursor = await redis.hget(keyOf(digest), "cursor");
      return { cursor: cursor ?? undefined, alone: false };
    } catch {
      return { cursor: known.get(digest), alone: true };
    }
  }

  return { turn: gathering(takeAll), peek, [Symbol.dispose]: () => redis.disconnect() };
}

function turnsOf(cursors: readonly (string | undefined)[], alone: boolean): readonly Turn[] {
  return cursors.map((cursor) => ({ cursor, alone }));
}

function keyOf(digest: string): string {
  return `bourse:discovery:rotation:{${digest}}`;
}

/** The node of a cluster that has a key, as far as is known; that of one Redis has no name. */
function nodeOf(redis: RedisClient, key: string): string {
  if (!(redis instanceof Cluster)) return "";
  return redis.slots[new Command("hget", [key]).getSlot()]?.[0] ?? "";
}
