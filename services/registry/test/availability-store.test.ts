import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { AvailabilityChange, AvailabilityStore } from "../src/availability-store.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { createRedisAvailability } from "../src/redis.ts";
import { aClock } from "./registry.ts";

const REDIS_URL = process.env["REDIS_URL"] ?? "";

interface Opened {
  readonly store: AvailabilityStore;
  /** What another replica sees: with the store in memory there is only one. */
  readonly other: AvailabilityStore;
  readonly clock: ReturnType<typeof aClock>;
}

const opened: AvailabilityStore[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store[Symbol.asyncDispose]()));
});

async function openMemory(): Promise<Opened> {
  const clock = aClock();
  const store = createMemoryAvailability({ now: clock.now });
  opened.push(store);
  return { store, other: store, clock };
}

async function openRedis(prefix = `test-${randomUUID()}`): Promise<Opened> {
  const clock = aClock();
  const open = () => createRedisAvailability({ url: REDIS_URL, now: clock.now, prefix });
  const [store, other] = await Promise.all([open(), open()]);
  opened.push(store, other);
  return { store, other, clock };
}

function heardBy(store: AvailabilityStore) {
  const changes: AvailabilityChange[] = [];
  store.subscribe((change) => changes.push(change));
  return {
    changes,
    ids: () => changes.flatMap((change) => (change.kind === "agents" ? change.agentIds : [])),
  };
}

function later(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms);
}

/** Changes are looked for four times a second. */
const SOON = { timeout: 3_000 };

if (REDIS_URL === "") test.skip("Redis: set REDIS_URL to run its suite", () => {});

describe.each([
  { name: "memory", open: openMemory },
  ...(REDIS_URL === "" ? [] : [{ name: "Redis", open: () => openRedis() }]),
])("availability in $name", ({ open }) => {
  test("knows what an agent last said", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    const leaseExpireAt = later(now, 5_000);

    const presence = await store.beat({ agentId: "a", now, inFlight: 2, leaseExpireAt });

    expect(presence).toEqual({ inFlight: 2, heardAt: now, leaseExpireAt });
    expect(await other.read(["a", "b"])).toEqual(new Map([["a", presence]]));
  });

  test("keeps the tasks under way that a heartbeat does not name", async () => {
    const { store, clock } = await open();
    await store.beat({ agentId: "a", now: clock.now(), inFlight: 2, leaseExpireAt: undefined });

    const presence = await store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });

    expect(presence.inFlight).toBe(2);
  });

  test("ends a lease that is not asked for again", async () => {
    const { store, clock } = await open();
    const now = clock.now();
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 5_000) });

    await store.beat({ agentId: "a", now, leaseExpireAt: undefined });

    expect((await store.read(["a"])).get("a")?.leaseExpireAt).toBeUndefined();
  });

  test("forgets an agent", async () => {
    const { store, other, clock } = await open();
    await store.beat({ agentId: "a", now: clock.now(), inFlight: 1, leaseExpireAt: undefined });

    await store.forget("a");

    expect(await store.read(["a"])).toEqual(new Map());
    expect(await other.read(["a"])).toEqual(new Map());
  });

  test("tells every replica of news, and not of what is none", async () => {
    const { store, other, clock } = await open();
    const here = heardBy(store);
    const there = heardBy(other);
    const now = clock.now();
    await store.beat({ agentId: "quiet", now, leaseExpireAt: undefined });
    await store.beat({ agentId: "busy", now, inFlight: 1, leaseExpireAt: undefined });

    await vi.waitFor(() => expect(there.ids()).toContain("busy"), SOON);
    await vi.waitFor(() => expect(here.ids()).toContain("busy"), SOON);
    expect([...here.ids(), ...there.ids()]).not.toContain("quiet");
  });

  test("tells of a renewal once a quarter of the lease has passed", async () => {
    const { store, clock } = await open();
    const start = clock.now();
    const heard = heardBy(store);
    await store.beat({ agentId: "a", now: start, leaseExpireAt: later(start, 100_000) });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]), SOON);

    const early = later(start, 20_000);
    await store.beat({ agentId: "a", now: early, leaseExpireAt: later(early, 100_000) });
    await store.beat({ agentId: "end", now: early, inFlight: 1, leaseExpireAt: undefined });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "end"]), SOON);
    const due = later(start, 25_000);
    await store.beat({ agentId: "a", now: due, leaseExpireAt: later(due, 100_000) });

    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "end", "a"]), SOON);
  });

  test("tells of a lease that lapses, once", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    const heard = heardBy(other);
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]), SOON);

    clock.forward(61_000);
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a"]), SOON);
    await store.beat({ agentId: "b", now: clock.now(), inFlight: 1, leaseExpireAt: undefined });
    await vi.waitFor(() => expect(heard.ids()).toContain("b"), SOON);

    expect(heard.ids()).toEqual(["a", "a", "b"]);
  });

  test("tells who was away what has changed and which leases have lapsed since", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    // Enough of them for every shard to have begun.
    const agentIds = Array.from({ length: 100 }, (_, n) => `leased-${n}`);
    const leaseExpireAt = later(now, 3_600_000);
    await Promise.all(agentIds.map((agentId) => store.beat({ agentId, now, leaseExpireAt })));
    const since = later(clock.now(), 1);

    await vi.waitFor(async () => {
      const inFlight = Date.now() % 1_000_000;
      await store.beat({ agentId: "full", now: clock.now(), inFlight, leaseExpireAt: undefined });
      const changed = await other.changesSince(since);
      expect(changed).toEqual({ kind: "agents", agentIds: ["full"] });
    });
    clock.forward(7_200_000);
    const lapsed = await other.changesSince(since);

    expect(lapsed).toEqual({ kind: "agents", agentIds: expect.arrayContaining(agentIds) });
  });

  test("tells again of a lease that had lapsed by a clock that was set back", async () => {
    const { store, clock } = await open();
    const now = clock.now();
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 5_000) });
    const heard = heardBy(store);
    clock.forward(60_000);
    await vi.waitFor(() => expect(heard.ids()).toContain("a"), SOON);
    await vi.waitFor(() => expect(heard.changes.length).toBeGreaterThan(0), SOON);
    const lapsed = heard.ids().length;

    clock.forward(-60_000);

    await vi.waitFor(() => expect(heard.ids().length).toBeGreaterThan(lapsed), SOON);
  });

  test("has told of all until a moment ago", async () => {
    const { store, clock } = await open();

    await vi.waitFor(() => {
      expect(clock.now().getTime() - store.toldUntil().getTime()).toBeLessThan(1_000);
    }, SOON);
  });

  test("says that all may have changed to who was away since before it began", async () => {
    const { store, clock } = await open();

    const change = await store.changesSince(later(clock.now(), -60_000));

    expect(change).toEqual({ kind: "all" });
  });
});

describe.skipIf(REDIS_URL === "")("availability in Redis", () => {
  test("gives every key a time to live", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store, clock } = await openRedis(prefix);
    const now = clock.now();
    await store.beat({ agentId: "a", now, inFlight: 1, leaseExpireAt: later(now, 5_000) });
    using redis = aRedis();

    const keys = await redis.client.keys(`${prefix}:*`);
    const lives = await Promise.all(keys.map((key) => redis.client.pttl(key)));

    expect(keys).toHaveLength(4);
    expect(lives.every((ms) => ms > 0)).toBe(true);
  });

  test("that was lost says so to every replica, and goes on", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store, other, clock } = await openRedis(prefix);
    const now = clock.now();
    const heard = heardBy(other);
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    await vi.waitFor(() => expect(heard.ids()).toContain("a"), SOON);
    await other.read(["a"]);

    using redis = aRedis();
    await redis.client.del(await redis.client.keys(`${prefix}:*`));

    await vi.waitFor(() => expect(heard.changes).toContainEqual({ kind: "all" }), SOON);
    expect(await other.read(["a"])).toEqual(new Map());
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    expect((await other.read(["a"])).size).toBe(1);
  });

  test("of which a part cannot be read tells and answers what the rest knows", async () => {
    const prefix = `test-${randomUUID()}`;
    const { store, other, clock } = await openRedis(prefix);
    const now = clock.now();
    const beat = (agentId: string, inFlight: number) =>
      store.beat({ agentId, now, inFlight, leaseExpireAt: undefined });
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

    await vi.waitFor(() => expect(heard.ids()).toContain("a"), SOON);
    expect((await other.read(["broken", "a"])).get("a")?.inFlight).toBe(2);
  });

  test("that goes away and comes back answers with what it knew, then goes on", async () => {
    using wire = await aWire();
    const clock = aClock();
    const prefix = `test-${randomUUID()}`;
    const store = await createRedisAvailability({ url: wire.url, now: clock.now, prefix });
    const other = await createRedisAvailability({ url: REDIS_URL, now: clock.now, prefix });
    opened.push(store, other);
    const beat = (inFlight: number, through = store) =>
      through.beat({ agentId: "a", now: clock.now(), inFlight, leaseExpireAt: undefined });
    await beat(1);
    const heard = heardBy(store);

    wire.cut();
    await expect(beat(2)).rejects.toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE" });
    expect((await store.read(["a"])).get("a")?.inFlight).toBe(1);
    clock.forward(60_000);
    await beat(3, other);
    const untold = clock.now().getTime() - store.toldUntil().getTime();
    wire.mend();

    await vi.waitFor(() => expect(heard.ids()).toContain("a"), { timeout: 8_000 });
    await vi.waitFor(async () => {
      expect((await store.read(["a"])).get("a")?.inFlight).toBe(3);
    }, SOON);
    expect((await beat(4)).inFlight).toBe(4);
    expect(untold).toBeGreaterThanOrEqual(60_000);
  }, 15_000);

  test("that is away refuses signs of life and answers with nothing known", async () => {
    const clock = aClock();
    const faults: unknown[] = [];
    const store = await createRedisAvailability({
      url: "redis://127.0.0.1:1",
      now: clock.now,
      onFault: (error) => faults.push(error),
    });
    opened.push(store);

    const beat = store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });

    await expect(beat).rejects.toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE" });
    expect(await store.read(["a"])).toEqual(new Map());
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

function aRedis() {
  const client = new Redis(REDIS_URL);
  return { client, [Symbol.dispose]: () => client.disconnect() };
}
