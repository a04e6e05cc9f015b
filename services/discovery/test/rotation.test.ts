import { randomUUID } from "node:crypto";
import { connectRedis } from "@bourse/service/redis";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedis,
} from "@bourse/service/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createCursors, createMemoryRotation } from "../src/memory.ts";
import { COMMAND_MS, createRedisRotation } from "../src/redis.ts";
import { digestOf, type Rotation } from "../src/rotation.ts";
import { farRedis } from "./support/far-redis.ts";

const { REDIS_URL } = process.env;
const NOWHERE = "redis://127.0.0.1:1";
const open: Disposable[] = [];

afterEach(() => {
  for (const each of open.splice(0)) each[Symbol.dispose]();
});

function connected(url: string) {
  return connectRedis(url, { commandMs: COMMAND_MS });
}

async function redisRotation(
  url: string,
  facts: { now?: () => Date; heard?: string[] } = {},
): Promise<Rotation> {
  const rotation = createRedisRotation({
    redis: await connected(url),
    now: facts.now ?? (() => new Date()),
    onLost: () => facts.heard?.push("lost"),
    onBack: () => facts.heard?.push("back"),
  });
  open.push(rotation);
  return rotation;
}

const NO_CLUSTER = !hasRedisServer() && process.env["CI"] !== "true";
let cluster: TestRedis | undefined;
if (NO_CLUSTER) test.skip(NO_REDIS_SERVER, () => {});

beforeAll(async () => {
  if (!NO_CLUSTER) cluster = await startRedisCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const clusterRotation = () => redisRotation(cluster?.url ?? "");

/** Counts turns: nowhere, "1", "2" and so on. */
const next = (cursor: string | undefined): string => String(Number(cursor ?? 0) + 1);

const KINDS = [
  { kind: "memory", make: async () => createMemoryRotation() as Rotation, skip: false },
  {
    kind: "Redis",
    make: async () => redisRotation(REDIS_URL ?? ""),
    skip: REDIS_URL === undefined,
  },
  { kind: "a Redis Cluster", make: clusterRotation, skip: NO_CLUSTER },
];

// The Redis half needs REDIS_URL, such as redis://127.0.0.1:6379.
describe.each(KINDS)("a rotation in $kind", ({ make, skip }) => {
  test.skipIf(skip)("begins nowhere and steps on from where it stands", async () => {
    const rotation = await make();
    const key = randomUUID();

    const cursors: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      cursors.push(String((await rotation.turn(key, next)).cursor));
    }

    expect(cursors).toEqual(["1", "2", "3"]);
  });

  test.skipIf(skip)(
    "never steps twice from the same cursor, however many ask at once",
    async () => {
      const rotation = await make();
      const key = randomUUID();

      const turns = await Promise.all(Array.from({ length: 200 }, () => rotation.turn(key, next)));

      const cursors = turns.map(({ cursor }) => Number(cursor)).sort((a, b) => a - b);
      expect(cursors).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
      expect(turns.every(({ alone }) => !alone)).toBe(true);
    },
  );

  test.skipIf(skip)("keeps its keys apart", async () => {
    const rotation = await make();
    const [one, other] = [randomUUID(), randomUUID()];

    await rotation.turn(one, next);
    await rotation.turn(one, next);

    expect((await rotation.turn(other, next)).cursor).toBe("1");
  });
});

/** A replica beside Redis and one that is so many milliseconds away from it, over a line of its own. */
async function nearAndFar(delayMs: number) {
  const line = await farRedis(REDIS_URL ?? "", delayMs);
  open.push(line);
  return { line, near: await redisRotation(REDIS_URL ?? ""), far: await redisRotation(line.url) };
}

/** Who has no answer from Redis within 250 ms goes on alone, as it should, also where only the machine stood still. */
const PATIENT = { retry: 3 };

const withRedis = describe.skipIf(REDIS_URL === undefined);

withRedis("rotations of several replicas over one Redis", PATIENT, () => {
  test("take turns as one: no cursor is stepped from twice", async () => {
    const key = randomUUID();
    const replicas = await Promise.all(
      Array.from({ length: 4 }, () => redisRotation(REDIS_URL ?? "")),
    );

    const turns = await Promise.all(
      Array.from({ length: 400 }, (_, index) => (replicas[index % 4] as Rotation).turn(key, next)),
    );

    const cursors = turns.map(({ cursor }) => Number(cursor)).sort((a, b) => a - b);
    expect(cursors).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
  });

  test("begin together: of many first turns one begins, the others go on", async () => {
    const key = randomUUID();
    const replicas = await Promise.all(
      Array.from({ length: 4 }, () => redisRotation(REDIS_URL ?? "")),
    );

    const turns = await Promise.all(replicas.map((replica) => replica.turn(key, next)));

    expect(turns.map(({ cursor }) => cursor).sort()).toEqual(["1", "2", "3", "4"]);
  });

  test("go on from where a replica stood when Redis has lost the cursor", async () => {
    const rotation = await redisRotation(REDIS_URL ?? "");
    const redis = await connected(REDIS_URL ?? "");
    open.push({ [Symbol.dispose]: () => redis.disconnect() });
    const [key, first] = [randomUUID(), randomUUID()];
    await rotation.turn(key, () => first);
    for (const name of await redis.keys("bourse:discovery:rotation:*")) {
      if ((await redis.hget(name, "cursor")) === first) await redis.del(name);
    }

    const turn = await rotation.turn(key, (cursor) => `after ${cursor}`);

    expect(turn).toEqual({ cursor: `after ${first}`, alone: false });
  });

  test("starve nobody: a replica far from Redis has its turn while a near one takes all it can", async () => {
    const key = randomUUID();
    const { near, far } = await nearAndFar(5);
    let nearTurns = 0;
    let done = false;
    const busy = (async () => {
      while (!done) nearTurns += Number(!(await near.turn(key, next)).alone);
    })();

    const cursors: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const { cursor, alone } = await far.turn(key, next);
      expect(alone).toBe(false);
      cursors.push(Number(cursor));
    }
    done = true;
    await busy;

    expect(nearTurns).toBeGreaterThan(5);
    expect(cursors).toEqual([...cursors].sort((a, b) => a - b));
    expect((await near.turn(key, next)).cursor).toBe(String(nearTurns + 6));
  });

  test("count a move once whose answer is lost, also when another replica moves before it is asked again", async () => {
    const key = randomUUID();
    const { line, near, far } = await nearAndFar(0);
    await far.turn(key, next);

    const lost = line.loseNextAnswer();
    const second = far.turn(key, next);
    await lost;
    const third = near.turn(key, next);

    const turns = [await second, await third, await far.turn(key, next)];
    expect(turns).toEqual(["2", "3", "4"].map((cursor) => ({ cursor, alone: false })));
  });

  test("count a move once whose answer comes after its time", async () => {
    const key = randomUUID();
    const { line, near, far } = await nearAndFar(0);
    await far.turn(key, next);

    line.holdNextAnswer(300);
    const second = await far.turn(key, next);

    const turns = [second, await near.turn(key, next)];
    expect(turns).toEqual(["2", "3"].map((cursor) => ({ cursor, alone: false })));
  });

  test("forget the latest moves of replicas when very many have come and gone", async () => {
    const key = randomUUID();
    const redis = await connected(REDIS_URL ?? "");
    open.push({ [Symbol.dispose]: () => redis.disconnect() });
    const gone = Object.fromEntries(Array.from({ length: 256 }, (_, nth) => [`gone-${nth}`, 1]));
    const name = `bourse:discovery:rotation:{${digestOf(key)}}`;
    await redis.hset(name, { cursor: "7", ...gone });

    const turn = await (await redisRotation(REDIS_URL ?? "")).turn(key, next);

    expect(turn).toEqual({ cursor: "8", alone: false });
    expect(await redis.hlen(name)).toBe(2);
  });

  test("wait a moment, no longer, for a replica that claimed the next move and died", async () => {
    const key = randomUUID();
    const rotation = await redisRotation(REDIS_URL ?? "");
    await rotation.turn(key, next);
    const redis = await connected(REDIS_URL ?? "");
    open.push({ [Symbol.dispose]: () => redis.disconnect() });
    const claim = { claimant: "gone", claimed_ms: Date.now() + 100 };
    await redis.hset(`bourse:discovery:rotation:{${digestOf(key)}}`, claim);

    const turn = await rotation.turn(key, next);

    expect(turn).toEqual({ cursor: "2", alone: false });
  });

  test("let an idle key go within a day", async () => {
    const key = randomUUID();
    await (await redisRotation(REDIS_URL ?? "")).turn(key, next);
    const redis = await connected(REDIS_URL ?? "");
    open.push({ [Symbol.dispose]: () => redis.disconnect() });

    const names = await redis.keys("bourse:discovery:rotation:*");
    const lives = await Promise.all(names.map((name) => redis.pttl(name)));

    expect(lives.length).toBeGreaterThan(0);
    expect(lives.every((ms) => ms > 0 && ms <= 86_400_000)).toBe(true);
  });
});

describe.skipIf(NO_CLUSTER)("rotations over a Redis Cluster", PATIENT, () => {
  test("take turns as one, whichever node a cursor lies on", async () => {
    const keys = Array.from({ length: 12 }, () => randomUUID());
    const replicas = [await clusterRotation(), await clusterRotation()];

    for (const key of keys) {
      const turns = await Promise.all(
        Array.from({ length: 20 }, (_, nth) => (replicas[nth % 2] as Rotation).turn(key, next)),
      );

      expect(turns.filter(({ alone }) => alone)).toEqual([]);
      const cursors = turns.map(({ cursor }) => Number(cursor)).sort((a, b) => a - b);
      expect(cursors).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    }
  });
});

describe("a rotation whose Redis is away", () => {
  test("goes on alone and says so, once", async () => {
    const heard: string[] = [];
    const rotation = await redisRotation(NOWHERE, { heard });

    const turns = [await rotation.turn("k", next), await rotation.turn("k", next)];

    expect(turns).toEqual([
      { cursor: "1", alone: true },
      { cursor: "2", alone: true },
    ]);
    expect(heard).toEqual(["lost"]);
  });

  test.skipIf(REDIS_URL === undefined)(
    "takes turns with the others again when it is back, from where they stand",
    async () => {
      const heard: string[] = [];
      const clock = { nowMs: 0 };
      const key = randomUUID();
      const redis = await connected(REDIS_URL ?? "");
      const rotation = createRedisRotation({
        redis,
        now: () => new Date(clock.nowMs),
        onLost: () => heard.push("lost"),
        onBack: () => heard.push("back"),
      });
      open.push(rotation);
      await rotation.turn(key, next);

      redis.disconnect();
      const away = await rotation.turn(key, next);
      const other = await redisRotation(REDIS_URL ?? "");
      for (let turn = 0; turn < 5; turn += 1) await other.turn(key, next);
      await redis.connect();
      const tooSoon = await rotation.turn(key, next);
      clock.nowMs += 1_000;
      const back = await rotation.turn(key, next);

      expect(away).toEqual({ cursor: "2", alone: true });
      expect(tooSoon).toEqual({ cursor: "3", alone: true });
      expect(back).toEqual({ cursor: "7", alone: false });
      expect(heard).toEqual(["lost", "back"]);
    },
  );
});

describe("a rotation in memory", () => {
  test("forgets the key that was not used for longest when it holds too many", async () => {
    const cursors = createCursors(2);
    const rotation = createMemoryRotation(cursors);
    await rotation.turn("a", next);
    await rotation.turn("b", next);
    await rotation.turn("a", next);

    await rotation.turn("c", next);

    expect(cursors.get("a")).toBe("2");
    expect(cursors.get("b")).toBeUndefined();
    expect(cursors.get("c")).toBe("1");
  });
});
