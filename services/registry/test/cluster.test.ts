import { randomUUID } from "node:crypto";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedis,
} from "@bourse/service/testing";
import { Cluster } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { testAvailability } from "./availability-suite.ts";
import { testBreakers } from "./breaker-suite.ts";
import { aClock, redisAvailability, redisBreakers } from "./registry.ts";
import { testSlots } from "./slot-suite.ts";

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

describe.skipIf(isSkipped)("in a Redis Cluster of three nodes", () => {
  let cluster: TestRedis;
  const opened: AsyncDisposable[] = [];

  beforeAll(async () => {
    cluster = await startRedisCluster(3);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store[Symbol.asyncDispose]()));
  });

  async function open() {
    const clock = aClock();
    const options = { url: cluster.url, now: clock.now, prefix: `test-${randomUUID()}` };
    const [store, other] = await Promise.all([
      redisAvailability(options),
      redisAvailability(options),
    ]);
    opened.push(store, other);
    return { store, other, clock };
  }

  async function openBreakers() {
    const clock = aClock();
    const options = { url: cluster.url, now: clock.now, prefix: `test-${randomUUID()}` };
    const [store, other] = await Promise.all([redisBreakers(options), redisBreakers(options)]);
    opened.push(store, other);
    return { store, other, clock };
  }

  describe("availability", () => testAvailability(open));
  describe("slots", () => testSlots(open));
  describe("breakers", () => testBreakers(openBreakers));

  test("agents are spread over all nodes", async () => {
    const { store, clock } = await open();
    const beats = Array.from({ length: 200 }, (_, n) =>
      store.beat({ agentId: `agent-${n}`, now: clock.now(), leaseExpireAt: undefined }),
    );
    await Promise.all(beats);
    const client = new Cluster(cluster.url.split(","), { lazyConnect: true });
    await client.connect();

    const sizes = await Promise.all(client.nodes("master").map((node) => node.dbsize()));
    client.disconnect();

    expect(sizes).toHaveLength(3);
    expect(sizes.every((size) => size > 0)).toBe(true);
  });
});
