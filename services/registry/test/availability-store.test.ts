import { describe, expect, test, vi } from "vitest";
import { hasLease } from "../src/availability.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { shardOf } from "../src/redis/shards.ts";
import { heardBy, later, testAvailability } from "./availability-suite.ts";
import { aClock, redisAvailability } from "./registry.ts";
import { testSlots } from "./slot-suite.ts";
import { aPrefix, aRedis, placesOf, REDIS_URL, storesOf } from "./stores.ts";
import { aWire } from "./wire.ts";

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

    expect(keys).toHaveLength(17);
    expect(lives.every((ms) => ms > 0)).toBe(true);
  });

  test("that was lost says so to every replica, and goes on", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await openRedis({ prefix });
    const now = clock.now();
    const heard = heardBy(other);
    const leaseExpireAt = later(now, 60_000);
    await store.beat({ agentId: "a", now, leaseExpireAt });
    await store.beat({ agentId: "b", now, leaseExpireAt });
    await vi.waitFor(() => expect(heard.ids()).toContain("a"));

    using redis = aRedis();
    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    await vi.waitFor(() => expect(heard.changes).toContainEqual({ kind: "all" }));
    expect(await other.read(["b"])).toEqual(new Map());
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    expect((await other.read(["a"])).size).toBe(1);
  });

  test("that was lost knows for the length of its lease whom this replica knew, and tells its end", async () => {
    const prefix = aPrefix();
    const { store, other, clock } = await openRedis({ prefix });
    const now = clock.now();
    const beat = { now, reported: { inFlight: 2 }, leaseExpireAt: later(now, 60_000) };
    const heard = heardBy(other);
    for (const agentId of ["a", "b"]) await store.beat({ agentId, ...beat });
    await vi.waitFor(() => expect(heard.ids()).toEqual(expect.arrayContaining(["a", "b"])));
    await other.read(["a", "b"]);
    const slot = { slotId: "s", maxConcurrent: 5, takesWork: true, isLeased: true };
    await other.acquireSlot({ agentId: "a", now, expireAt: later(now, 60_000), ...slot });
    clock.forward(50_000);
    using redis = aRedis();
    await redis.client.del(await redis.client.keys(`${prefix}:*`));
    await vi.waitFor(() => expect(heard.changes).toContainEqual({ kind: "all" }));

    clock.forward(50_000);
    const [known] = (await other.read(["a", "b"])).values();
    heard.changes.length = 0;
    const at = clock.now();
    const taken = await other.acquireSlot({
      agentId: "a",
      now: at,
      expireAt: later(at, 1_000),
      ...slot,
    });
    clock.forward(11_000);

    expect(known).toMatchObject({ reported: { inFlight: 2 }, openSlots: 0, heardAt: now });
    expect(known?.leaseExpireAt?.getTime()).toBeGreaterThanOrEqual(now.getTime() + 110_000);
    expect(taken).toMatchObject({ expireAt: later(at, 1_000) });
    await vi.waitFor(() => expect(heard.ids()).toContain("b"));
    expect(await other.read(["b"])).toEqual(new Map());
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
    const known = { reported: { inFlight: 1 }, staleSince: expect.any(Date) };
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
      expect((await store.read(["a"])).get("a")?.staleSince).toBeDefined();
    });
    wire.mend();

    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    expect((await store.read(["a"])).get("a")?.staleSince).toBeUndefined();
  });

  test("that goes away lets nothing lapse until it is back, and then for the length of each lease", async () => {
    using wire = await aWire();
    const clock = aClock();
    const prefix = aPrefix();
    const store = keep(await redisAvailability({ url: wire.url, now: clock.now, prefix }));
    const other = keep(await redisAvailability({ url: REDIS_URL, now: clock.now, prefix }));
    const [begun, heard] = [clock.now(), heardBy(store)];
    const lease = (ms: number) => ({ now: clock.now(), leaseExpireAt: later(clock.now(), ms) });
    for (const agentId of ["dead", "lives"]) await store.beat({ agentId, ...lease(60_000) });
    await store.beat({ agentId: "lapsed", ...lease(1_000) });
    clock.forward(2_000);
    const looked = clock.now();
    await vi.waitFor(() => expect(store.toldUntil().getTime()).toBeGreaterThan(looked.getTime()));
    heard.changes.length = 0;
    const holding = async () => {
      const presences = await store.read(["dead", "lives", "lapsed"]);
      return [...presences].filter(([, one]) => hasLease(one, clock.now())).map(([id]) => id);
    };

    wire.cut();
    await vi.waitFor(() => expect(store.staleSince()).toBeDefined());
    const untold = heard.changes.length;
    clock.forward(600_000);
    const away = [await holding(), store.staleSince()];
    wire.mend();
    await vi.waitFor(() => expect(store.staleSince()).toBeUndefined());
    const back = await holding();
    await other.beat({ agentId: "lives", ...lease(120_000) });
    clock.forward(61_000);

    expect(untold).toBeGreaterThan(0);
    expect(away).toEqual([["dead", "lives"], expect.any(Date)]);
    expect((away[1] as Date).getTime()).toBeLessThan(begun.getTime() + 600_000);
    expect(back).toEqual(["dead", "lives"]);
    await vi.waitFor(() => expect(heard.ids()).toContain("dead"));
    expect(await holding()).toEqual(["lives"]);
  });

  test("that no replica looked at lets nothing lapse meanwhile, and then for the length of each lease", async () => {
    const prefix = aPrefix();
    const clock = aClock();
    const place = { url: REDIS_URL, now: clock.now, prefix };
    const lease = (ms: number) => ({ now: clock.now(), leaseExpireAt: later(clock.now(), ms) });
    {
      await using store = await redisAvailability(place);
      for (const agentId of ["dead", "lives"]) await store.beat({ agentId, ...lease(60_000) });
      await store.beat({ agentId: "lapsed", ...lease(1) });
      const lapsed = later(clock.now(), 1);
      await vi.waitFor(() => expect(store.toldUntil().getTime()).toBeGreaterThan(lapsed.getTime()));
    }
    using redis = aRedis();
    for (const key of await redis.client.keys(`${prefix}:*:looked`)) {
      await redis.client.hincrby(key, "at", -600_000);
    }
    clock.forward(600_000);

    const one = keep(await redisAvailability(place));
    const other = keep(await redisAvailability(place));
    const holding = (store: typeof one) => async () => {
      const presences = await store.read(["dead", "lives", "lapsed"]);
      return [...presences].filter(([, one]) => hasLease(one, clock.now())).map(([id]) => id);
    };
    const back = [await holding(one)(), await holding(other)()];
    await other.beat({ agentId: "lives", ...lease(120_000) });
    const heard = heardBy(one);
    clock.forward(61_000);

    expect(back).toEqual([
      ["dead", "lives"],
      ["dead", "lives"],
    ]);
    await vi.waitFor(() => expect(heard.ids()).toContain("dead"));
    expect([await holding(one)(), await holding(other)()]).toEqual([["lives"], ["lives"]]);
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
    expect((await store.read(["a"])).get("a")).toMatchObject({
      heardAt: undefined,
      staleSince: expect.any(Date),
    });
    expect(await store.changesSince(clock.now())).toEqual({ kind: "all" });
    expect(store.toldUntil()).toEqual(new Date(0));
    await store.forget("a");
    expect(faults.length).toBeGreaterThan(0);
  });
});
