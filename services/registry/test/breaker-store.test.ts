import { describe, expect, test, vi } from "vitest";
import { BACKOFF_MS } from "../src/breaker.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { createRedisBreakers } from "../src/redis/breakers.ts";
import { connectRedis } from "../src/redis/connection.ts";
import { failures, phases, testBreakers } from "./breaker-suite.ts";
import { aClock, redisBreakers } from "./registry.ts";
import { aPrefix, aRedis, placesOf, REDIS_URL, storesOf } from "./stores.ts";

const stores = storesOf({ memory: createMemoryBreakers, redis: redisBreakers });
const { keep, openRedis } = stores;

describe.each(placesOf(stores))("breakers in $name", ({ open }) => testBreakers(open));

describe.skipIf(REDIS_URL === "")("breakers in Redis", () => {
  test("are known to a replica that starts later", async () => {
    const prefix = aPrefix();
    const { store } = await openRedis({ prefix });
    await store.change("a", "x", failures(5));

    const { other, clock } = await openRedis({ prefix });

    expect(phases(other, "a", clock)).toEqual({ x: "OPEN" });
  });

  test("give every key a time to live", async () => {
    const prefix = aPrefix();
    const { store } = await openRedis({ prefix });
    await store.change("a", "x", failures(5));
    using redis = aRedis();

    const keys = await redis.client.keys(`${prefix}:*`);
    const lives = await Promise.all(keys.map((key) => redis.client.pttl(key)));

    expect(keys).toHaveLength(3);
    expect(lives.every((ms) => ms > 0)).toBe(true);
  });

  test("that were lost are closed for every replica, which says so", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await openRedis({ prefix });
    await store.change("a", "x", failures(5));
    await vi.waitFor(() => expect(phases(other, "a", clock)).toEqual({ x: "OPEN" }));
    const heard: string[] = [];
    other.subscribe((agentIds) => heard.push(...agentIds));
    using redis = aRedis();

    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    await vi.waitFor(() => expect(heard).toEqual(["a"]));
    expect(phases(other, "a", clock)).toEqual({});
  });

  test("that were lost before anyone looked are closed for the replica that wrote them", async () => {
    const prefix = aPrefix();
    const { store, clock } = await openRedis({ prefix });
    using redis = aRedis();
    await redis.client.ping();

    await store.change("a", "x", failures(5));
    const written = phases(store, "a", clock);
    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    expect(written).toEqual({ x: "OPEN" });
    await vi.waitFor(() => expect(phases(store, "a", clock)).toEqual({}));
  });

  test("that are away refuse reports and stay as they were", async () => {
    const prefix = aPrefix();
    const clock = aClock();
    const redis = await connectRedis(REDIS_URL);
    const store = keep(await createRedisBreakers({ redis, now: clock.now, prefix }));
    await store.change("a", "x", failures(5));
    redis.client.disconnect();

    const call = store.change("a", "x", failures(1));

    await expect(call).rejects.toMatchObject({ reason: "BREAKERS_UNAVAILABLE" });
    expect(phases(store, "a", clock)).toEqual({ x: "OPEN" });
    clock.forward(BACKOFF_MS);
    expect(phases(store, "a", clock)).toEqual({ x: "HALF_OPEN" });
    expect(await store.changedSince(clock.now())).toEqual(["a"]);
    await store.forget("b");
  });
});
