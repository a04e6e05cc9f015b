import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { createMemoryAvailability } from "../src/memory.ts";
import { shardOf } from "../src/redis/shards.ts";
import { heardBy, later, testAvailability } from "./availability-suite.ts";
import { aClock, redisAvailability } from "./registry.ts";
import { testSlots } from "./slot-suite.ts";
import { aPrefix, aRedis, placesOf, REDIS_URL, storesOf } from "./stores.ts";

const stores = storesOf({ memory: createMemoryAvailability, redis: redisAvailability });
const { keep, openRedis } = stores;

describe.each(placesOf(stores))("in $name", ({ open }) => {
  describe("availability", () => testAvailability(open));
  describe("slots", () => testSlots(open));
});

describe.skipIf(REDIS_URL === "")("availability in Redis", () => {
  test("gives every key a time to live", async () => {
    const prefix = aPrefix();
    const { store, clock } = await openRedis({ prefix });
    const now = clock.now();
    await store.beat({
      agentId: "a",
      now,
      reported: { inFlight: 1 },
      leaseExpireAt: later(now, 5_000),
    });
    // Of the same shard.
    const free = Array.from({ length: 100 }, (_, n) => `free-${n}`).find(
      (agentId) => shardOf(agentId) === shardOf("a"),
    );
    const reported = { inFlight: 1 };
    await store.beat({ agentId: String(free), now, reported, leaseExpireAt: undefined });
    const share = { holder: "agent:b", most: 1 };
    const slot = { slotId: "s", maxConcurrent: 5, takesWork: true, isLeased: true, share };
    await store.acquireSlot({ agentId: "a", now, expireAt: later(now, 1_000), ...slot });
    using redis = aRedis();

    const keys = await redis.client.keys(`${prefix}:*`);
    const lives = await Promise.all(keys.map((key) => redis.client.pttl(key)));

    expect(keys).toHaveLength(9);
    expect(lives.every((ms) => ms > 0)).toBe(true);
  });

  test("that was lost says so to every replica, and goes on", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await openRedis({ prefix });
    const now = clock.now();
    const heard = heardBy(other);
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    await other.read(["a"]);

    using redis = aRedis();
    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    await vi.waitFor(() => expect(heard.changes).toContainEqual({ kind: "all" }));
    expect(await other.read(["a"])).toEqual(new Map());
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    expect((await other.read(["a"])).size).toBe(1);
  });

  test("of which a part cannot be read tells and answers what the rest knows", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await openRedis({ prefix });
    const now = clock.now();
    const beat = (agentId: string, inFlight: number) =>
      store.beat({ agentId, now, reported: { inFlight }, leaseExpireAt: undefined });
    await beat("a", 1);
    const heard = heardBy(other);
    using redis = aRedis();
    const [mine = ""] = await redis.client.keys(`${prefix}:*:changes`);
    for (let shard = 0; shard < 8; shard++) {
      const changes = `${prefix}:{${prefix}-${shard}}:changes`;
      if (changes !== mine) await redis.client.set(changes, "no sorted set", "PX", 60_000);
    }
    const presence = mine.replace(/changes$/, "agent:a");
    await redis.client.set(presence.replace(/a$/, "broken"), "no hash", "PX", 60_000);

    await beat("a", 2);

    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    expect((await other.read(["broken", "a"])).get("a")?.reported.inFlight).toBe(2);
  });

  test("that goes away and comes back answers with what it knew, then goes on", async () => {
    using wire = await aWire();
    const clock = aClock();
    const prefix = aPrefix();
    const store = keep(await redisAvailability({ url: wire.url, now: clock.now, prefix }));
    const other = keep(await redisAvailability({ url: REDIS_URL, now: clock.now, prefix }));
    const beat = (inFlight: number, through = store) =>
      through.beat({
        agentId: "a",
        now: clock.now(),
        reported: { inFlight },
        leaseExpireAt: undefined,
      });
    await beat(1);
    const heard = heardBy(store);

    wire.cut();
    await expect(beat(2)).rejects.toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE" });
    const known = { reported: { inFlight: 1 }, isStale: true };
    expect((await store.read(["a"])).get("a")).toMatchObject(known);
    clock.forward(60_000);
    await beat(3, other);
    const untold = clock.now().getTime() - store.toldUntil().getTime();
    wire.mend();

    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    await vi.waitFor(async () => {
      expect((await store.read(["a"])).get("a")?.reported.inFlight).toBe(3);
    });
    expect((await beat(4)).reported.inFlight).toBe(4);
    expect(untold).toBeGreaterThanOrEqual(60_000);
  });

  test("that was away tells again of those of whom it had to say what it knew", async () => {
    using wire = await aWire();
    const clock = aClock();
    const prefix = aPrefix();
    const store = keep(await redisAvailability({ url: wire.url, now: clock.now, prefix }));
    await store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });
    const heard = heardBy(store);

    wire.cut();
    await vi.waitFor(async () => {
      expect((await store.read(["a"])).get("a")?.isStale).toBe(true);
    });
    wire.mend();

    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    expect((await store.read(["a"])).get("a")?.isStale).toBeUndefined();
  });

  test("that is away refuses signs of life and answers with nothing known", async () => {
    const clock = aClock();
    const faults: unknown[] = [];
    const onFault = (error: unknown) => faults.push(error);
    const store = keep(
      await redisAvailability({ url: "redis://127.0.0.1:1", now: clock.now, onFault }),
    );

    const beat = store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });

    await expect(beat).rejects.toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE" });
    expect((await store.read(["a"])).get("a")).toMatchObject({ heardAt: undefined, isStale: true });
    expect(await store.changesSince(clock.now())).toEqual({ kind: "all" });
    await store.forget("a");
    expect(faults.length).toBeGreaterThan(0);
  });
});

/** Redis behind a connection that can be cut. */
async function aWire() {
  const target = new URL(REDIS_URL);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(target.port || 6379), target.hostname);
    for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
    return near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    [Symbol.dispose]() {
      cut();
      server.close();
    },
  };
}
