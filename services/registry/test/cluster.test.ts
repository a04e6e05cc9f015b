import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedis,
} from "@bourse/service/testing";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMemoryAvailability } from "../src/memory.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { testAvailability } from "./availability-suite.ts";
import { testBreakers } from "./breaker-suite.ts";
import { redisAvailability, redisBreakers } from "./registry.ts";
import { testSlots } from "./slot-suite.ts";
import { storesOf } from "./stores.ts";

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

describe.skipIf(isSkipped)("in a Redis Cluster of three nodes", () => {
  let cluster: TestRedis;

  beforeAll(async () => {
    cluster = await startRedisCluster(3);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const availability = storesOf({ memory: createMemoryAvailability, redis: redisAvailability });
  const breakers = storesOf({ memory: createMemoryBreakers, redis: redisBreakers });
  const open = () => availability.openRedis({ url: cluster.url });

  describe("availability", () => testAvailability(open));
  describe("slots", () => testSlots(open));
  describe("breakers", () => testBreakers(() => breakers.openRedis({ url: cluster.url })));

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
