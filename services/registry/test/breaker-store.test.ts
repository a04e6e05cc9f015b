import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BACKOFF_MS } from "../src/breaker.ts";
import type { BreakerStore } from "../src/breaker-store.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { createRedisBreakers } from "../src/redis/breakers.ts";
import { connectRedis } from "../src/redis/connection.ts";
import { failures, type OpenedBreakers, phases, SOON, testBreakers } from "./breaker-suite.ts";
import { aClock, redisBreakers } from "./registry.ts";

const REDIS_URL = process.env["REDIS_URL"] ?? "";

const opened: BreakerStore[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store[Symbol.asyncDispose]()));
});

async function openMemory(): Promise<OpenedBreakers> {
  const clock = aClock();
  const store = createMemoryBreakers({ now: clock.now });
  opened.push(store);
  return { store, other: store, clock };
}

async function openRedis(prefix = `test-${randomUUID()}`): Promise<OpenedBreakers> {
  const clock = aClock();
  const open = () => redisBreakers({ url: REDIS_URL, now: clock.now, prefix });
  const [store, other] = await Promise.all([open(), open()]);
  opened.push(store, other);
  return { store, other, clock };
}

if (REDIS_URL === "") test.skip("Redis: set REDIS_URL to run its suite", () => {});

describe.each([
  { name: "memory", open: openMemory },
  ...(REDIS_URL === "" ? [] : [{ name: "Redis", open: () => openRedis() }]),
])("breakers in $name", ({ open }) => testBreakers(open));

describe.skipIf(REDIS_URL === "")("breakers in Redis", () => {
  test("are known to a replica that starts later", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store } = await openRedis(prefix);
    await store.change("a", "x", failures(5));

    const { other, clock } = await openRedis(prefix);

    expect(phases(other, "a", clock)).toEqual({ x: "OPEN" });
  });

  test("give every key a time to live", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store } = await openRedis(prefix);
    await store.change("a", "x", failures(5));
    using redis = aRedis();

    const keys = await redis.client.keys(`${prefix}:*`);
    const lives = await Promise.all(keys.map((key) => redis.client.pttl(key)));

    expect(keys).toHaveLength(3);
    expect(lives.every((ms) => ms > 0)).toBe(true);
  });

  test("that were lost are closed for every replica, which says so", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store, other, clock } = await openRedis(prefix);
    await store.change("a", "x", failures(5));
    await vi.waitFor(() => expect(phases(other, "a", clock)).toEqual({ x: "OPEN" }), SOON);
    const heard: string[] = [];
    other.subscribe((agentIds) => heard.push(...agentIds));
    using redis = aRedis();

    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    await vi.waitFor(() => expect(heard).toEqual(["a"]), SOON);
    expect(phases(other, "a", clock)).toEqual({});
  });

  test("that are away refuse reports and stay as they were", async () => {
    const prefix = `test-${randomUUID()}`;
    const clock = aClock();
    const redis = await connectRedis(REDIS_URL);
    const store = await createRedisBreakers({ redis, now: clock.now, prefix });
    opened.push(store);
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

function aRedis() {
  const client = new Redis(REDIS_URL);
  return { client, [Symbol.dispose]: () => client.disconnect() };
}
