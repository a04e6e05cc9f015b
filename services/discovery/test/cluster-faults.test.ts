import { randomUUID } from "node:crypto";
import { connectRedis } from "@bourse/service/redis";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedisCluster,
  type TestRedisNode,
} from "@bourse/service/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { COMMAND_MS, createRedisRotation } from "../src/redis.ts";
import { digestOf, type Rotation, type Turn } from "../src/rotation.ts";

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

/** Who has no answer from Redis within 250 ms goes on alone, as it should, also where only the machine stood still. */
const PATIENT = { retry: 3 };

/** Counts turns: nowhere, "1", "2" and so on. */
const next = (cursor: string | undefined): string => String(Number(cursor ?? 0) + 1);

describe.skipIf(isSkipped)("two replicas that take turns over a Redis Cluster", PATIENT, () => {
  const stack = new AsyncDisposableStack();
  const heard: string[] = [];
  const replicas: Rotation[] = [];
  let cluster: TestRedisCluster;

  beforeAll(async () => {
    cluster = stack.use(await startRedisCluster());
    for (const name of ["a", "b"]) {
      const redis = await connectRedis(cluster.url, { commandMs: COMMAND_MS });
      const tell = (what: string) => (node: string) => void heard.push(`${name} ${what} ${node}`);
      const onLost = (_: unknown, node: string) => tell("lost")(node);
      const now = () => new Date();
      replicas.push(stack.use(createRedisRotation({ redis, now, onLost, onBack: tell("back") })));
    }
  });
  afterAll(() => stack.disposeAsync());

  const turn = (key: string, nth = 0) => (replicas[nth % 2] as Rotation).turn(key, next);
  const tagOf = (key: string) => `{${digestOf(key)}}`;

  /** A rotation whose cursor lies on a node. */
  async function aKeyOn(node: number): Promise<string> {
    for (;;) {
      const key = randomUUID();
      if ((await cluster.ownerOf(tagOf(key))) === node) return key;
    }
  }

  test("take each turn once while the hash slot of its cursor moves from node to node", async () => {
    const key = await aKeyOn(0);
    const turns: Turn[] = [await turn(key)];
    let isMoving = true;
    const takers = [0, 1].map(async (nth) => {
      while (isMoving) turns.push(await turn(key, nth));
    });

    const taken = async (count: number) => {
      const before = turns.length;
      await vi.waitFor(() => expect(turns.length).toBeGreaterThan(before + count));
    };
    for (const to of [1, 2]) await cluster.moveSlot(tagOf(key), to, () => taken(20));
    await taken(20);
    isMoving = false;
    await Promise.all(takers);

    expect(turns.filter(({ alone }) => alone)).toEqual([]);
    const cursors = turns.map(({ cursor }) => Number(cursor)).sort((a, b) => a - b);
    expect(cursors).toEqual(cursors.map((_, nth) => nth + 1));
  });

  test.each([
    {
      title: "is killed, and comes back empty",
      lose: (node: TestRedisNode) => node.kill(),
      find: (node: TestRedisNode) => node.restart(),
    },
    {
      title: "answers nobody, and does so again",
      lose: async (node: TestRedisNode) => node.freeze(),
      find: async (node: TestRedisNode) => node.thaw(),
    },
  ])("go on alone, each and saying so, where the node of a cursor $title", async (fault) => {
    const keys = await Promise.all([0, 1, 2].map(aKeyOn));
    const [gone = "", ...others] = keys;
    for (const key of keys) for (const nth of [0, 1]) await turn(key, nth);
    const node = cluster.nodes[0] as TestRedisNode;
    const name = new URL(node.url).host;
    heard.length = 0;

    await fault.lose(node);
    const alone = [await turn(gone, 0), await turn(gone, 1), await turn(gone, 1)];
    const meanwhile = await Promise.all(
      others.flatMap((key) => Array.from({ length: 10 }, (_, nth) => turn(key, nth))),
    );
    await fault.find(node);

    // Who took the first of two turns does not know of the other's.
    expect(alone).toEqual([
      { cursor: "2", alone: true },
      { cursor: "3", alone: true },
      { cursor: "4", alone: true },
    ]);
    expect(meanwhile.filter((one) => one.alone)).toEqual([]);
    const shared = async (nth: number) =>
      vi.waitFor(async () => {
        const one = await turn(gone, nth);
        expect(one.alone).toBe(false);
        return Number(one.cursor);
      });
    const [first, second] = [await shared(0), await shared(1)];
    expect(first).toBeGreaterThan(2);
    expect(second).toBe(first + 1);
    for (const replica of ["a", "b"]) {
      const told = heard.filter((line) => line.startsWith(replica));
      expect(told).toEqual([`${replica} lost ${name}`, `${replica} back ${name}`]);
    }
  });
});
