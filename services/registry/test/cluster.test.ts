import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedisCluster,
} from "@bourse/service/testing";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { AvailabilityChange } from "../src/availability-store.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { keysOf, SHARDS, shardOf } from "../src/redis/shards.ts";
import { heardBy, testAvailability } from "./availability-suite.ts";
import { testBreakers } from "./breaker-suite.ts";
import { redisAvailability, redisBreakers } from "./registry.ts";
import { testSlots } from "./slot-suite.ts";
import { aPrefix, storesOf } from "./stores.ts";

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

describe.skipIf(isSkipped)("in a Redis Cluster of three nodes", () => {
  let cluster: TestRedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
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

  test("a replica that does nothing but listen follows a shard to another node", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await availability.openRedis({ url: cluster.url, prefix });
    const agentIds = Array.from({ length: 20 }, (_, n) => `agent-${n}`);
    const beatAll = () =>
      Promise.all(
        agentIds.map((agentId, n) =>
          store.beat({
            agentId,
            now: clock.now(),
            reported: { inFlight: n },
            leaseExpireAt: undefined,
          }),
        ),
      );
    await beatAll();
    const heard = heardBy(other);

    // Two of one node, so that what is asked of it together is answered in more than one way.
    const owners = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => cluster.ownerOf(keysOf(prefix).clock(shard))),
    );
    const crowded = owners.findIndex((owner, shard) => owners.indexOf(owner) !== shard);
    const owner = owners[crowded] as number;
    await cluster.moveSlot(keysOf(prefix).clock(crowded), (owner + 1) % 3);
    const moved = agentIds.find((agentId) => shardOf(agentId) === crowded) ?? "";
    heard.changes.length = 0;
    await store.beat({
      ...{ agentId: moved, now: clock.now(), reported: { inFlight: 99 } },
      leaseExpireAt: undefined,
    });

    // Another server answers now, so whoever is told of one agent may have to be told of all.
    const isToldOf = (change: AvailabilityChange) =>
      change.kind === "all" || change.agentIds.includes(moved);
    await vi.waitFor(() => expect(heard.changes.some(isToldOf)).toBe(true));
    expect((await other.read([moved])).get(moved)?.reported.inFlight).toBe(99);
  });
});
