import { expect, test, vi } from "vitest";
import { loadAt, NO_LOAD, REPORT_MS } from "../src/availability.ts";
import type { AvailabilityChange, AvailabilityStore, Beat } from "../src/availability-store.ts";
import type { OpenedStore } from "./stores.ts";

/** A store to be tested. */
export type Opened = OpenedStore<AvailabilityStore>;

/** Keeps what a store tells. */
export function heardBy(store: AvailabilityStore) {
  const changes: AvailabilityChange[] = [];
  store.subscribe((change) => changes.push(change));
  return {
    changes,
    ids: () => changes.flatMap((change) => (change.kind === "agents" ? change.agentIds : [])),
  };
}

/** A date that lies `ms` behind another. */
export function later(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms);
}

/** What holds of leases and load in every store. */
export function testAvailability(open: () => Promise<Opened>): void {
  test("knows what an agent last said", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    const leaseExpireAt = later(now, 5_000);

    const reported = { inFlight: 2, queueLength: 5, utilizationPpm: 250_000 };
    const presence = await store.beat({ agentId: "a", now, reported, leaseExpireAt });

    expect(presence).toEqual({ reported, openSlots: 0, heardAt: now, leaseExpireAt });
    expect(await other.read(["a", "b"])).toEqual(new Map([["a", presence]]));
  });

  test("knows of agents of all shards at once", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    const agentIds = Array.from({ length: 30 }, (_, nth) => `agent-${nth}`);
    for (const agentId of agentIds) await store.beat({ agentId, now, leaseExpireAt: undefined });

    const known = await other.read(agentIds);

    expect([...known.keys()].sort()).toEqual([...agentIds].sort());
    expect([...known.values()].every(({ staleSince }) => staleSince === undefined)).toBe(true);
  });

  test("keeps the tasks under way that a heartbeat does not name", async () => {
    const { store, clock } = await open();
    await store.beat({
      agentId: "a",
      now: clock.now(),
      reported: { inFlight: 2 },
      leaseExpireAt: undefined,
    });

    const presence = await store.beat({ agentId: "a", now: clock.now(), leaseExpireAt: undefined });

    expect(presence.reported.inFlight).toBe(2);
  });

  test.each([
    { title: "of a lease that has lapsed", lease: 5_000, isFresh: false, kept: 0 },
    { title: "when it is to be forgotten", lease: 60_000, isFresh: true, kept: 0 },
    { title: "of a lease that holds only", lease: 60_000, isFresh: false, kept: 2 },
  ])("forgets what was reported $title", async ({ lease, isFresh, kept }) => {
    const { store, clock } = await open();
    const now = clock.now();
    const reported = { inFlight: 2, queueLength: 2, utilizationPpm: 2 };
    await store.beat({ agentId: "a", now, reported, leaseExpireAt: later(now, lease) });
    const next = later(now, 6_000);

    const presence = await store.beat({
      agentId: "a",
      now: next,
      isFresh,
      leaseExpireAt: later(next, 60_000),
    });

    expect(presence.reported.inFlight).toBe(kept);
    expect(presence.reported.utilizationPpm ?? 0).toBe(kept);
    expect((await store.read(["a"])).get("a")).toEqual(presence);
  });

  test("ends a lease that is not asked for again", async () => {
    const { store, clock } = await open();
    const now = clock.now();
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 5_000) });

    await store.beat({ agentId: "a", now, leaseExpireAt: undefined });

    expect((await store.read(["a"])).get("a")?.leaseExpireAt).toBeUndefined();
  });

  test("counts the leases that hold", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    await store.beat({ agentId: "short", now, leaseExpireAt: later(now, 5_000) });
    await store.beat({ agentId: "long", now, leaseExpireAt: later(now, 60_000) });
    await store.beat({ agentId: "free", now, leaseExpireAt: undefined });

    expect(await other.countLeases()).toBe(2);
    clock.forward(6_000);

    expect(await other.countLeases()).toBe(1);
  });

  test("forgets an agent", async () => {
    const { store, other, clock } = await open();
    await store.beat({
      agentId: "a",
      now: clock.now(),
      reported: { inFlight: 1 },
      leaseExpireAt: undefined,
    });

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
    await store.beat({ agentId: "busy", now, reported: { inFlight: 1 }, leaseExpireAt: undefined });

    await vi.waitFor(() => expect(there.ids()).toContain("busy"));
    await vi.waitFor(() => expect(here.ids()).toContain("busy"));
    expect([...here.ids(), ...there.ids()]).not.toContain("quiet");
  });

  test("tells of a renewal once a quarter of the lease has passed", async () => {
    const { store, clock } = await open();
    const start = clock.now();
    const heard = heardBy(store);
    await store.beat({ agentId: "a", now: start, leaseExpireAt: later(start, 100_000) });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]));

    const early = later(start, 20_000);
    await store.beat({ agentId: "a", now: early, leaseExpireAt: later(early, 100_000) });
    await store.beat({
      agentId: "end",
      now: early,
      reported: { inFlight: 1 },
      leaseExpireAt: undefined,
    });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "end"]));
    const due = later(start, 25_000);
    await store.beat({ agentId: "a", now: due, leaseExpireAt: later(due, 100_000) });

    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "end", "a"]));
  });

  test("tells of a lease that lapses, once", async () => {
    const { store, other, clock } = await open();
    const now = clock.now();
    const heard = heardBy(other);
    await store.beat({ agentId: "a", now, leaseExpireAt: later(now, 60_000) });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]));

    clock.forward(61_000);
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a"]));
    await store.beat({
      agentId: "b",
      now: clock.now(),
      reported: { inFlight: 1 },
      leaseExpireAt: undefined,
    });
    await vi.waitFor(() => expect(heard.ids()).toContain("b"));

    expect(heard.ids()).toEqual(["a", "a", "b"]);
  });

  test.each([
    { what: "work under way", reported: { inFlight: 2 } },
    { what: "work that waits", reported: { queueLength: 1 } },
    { what: "utilization", reported: { utilizationPpm: 300_000 } },
  ])(
    "forgets $what of an agent without a lease that is silent, and tells of it, once",
    async ({ reported }) => {
      const { store, other, clock } = await open();
      const heard = heardBy(other);
      const beat = () =>
        store.beat({ agentId: "a", now: clock.now(), reported, leaseExpireAt: undefined });
      const load = async () => loadAt((await other.read(["a"])).get("a"), clock.now());
      await beat();
      await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]));
      clock.forward(REPORT_MS - 60_000);
      await beat();

      clock.forward(REPORT_MS - 60_000);
      const held = await load();
      clock.forward(60_000);
      await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a"]));
      const forgotten = await load();
      const since = later(clock.now(), -60_000);
      const missed = await other.changesSince(since);
      await beat();
      await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a", "a"]));

      expect(held).toMatchObject(reported);
      expect(forgotten).toEqual(NO_LOAD);
      expect(missed.kind === "all" || missed.agentIds.includes("a")).toBe(true);
      expect(await load()).toMatchObject(reported);
    },
  );

  test("keeps what is said anew after a silence, and nothing of before", async () => {
    const { store, clock } = await open();
    const beat = (reported: Beat["reported"] = {}) =>
      store.beat({ agentId: "a", now: clock.now(), reported, leaseExpireAt: undefined });
    await beat({ inFlight: 2, queueLength: 5 });
    clock.forward(REPORT_MS);

    const presence = await beat({ inFlight: 1 });

    expect(presence.reported).toEqual({ ...NO_LOAD, inFlight: 1 });
  });

  test("lets a lease decide when what was reported before it is forgotten", async () => {
    const { store, other, clock } = await open();
    const heard = heardBy(other);
    const now = clock.now();
    const reported = { inFlight: 2 };
    await store.beat({ agentId: "a", now, reported, leaseExpireAt: undefined });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a"]));
    const leaseExpireAt = later(now, 2 * REPORT_MS);
    await store.beat({ agentId: "a", now, leaseExpireAt });
    await vi.waitFor(() => expect(heard.ids()).toEqual(["a", "a"]));

    clock.forward(REPORT_MS + 1_000);
    await store.beat({ agentId: "b", now: clock.now(), reported, leaseExpireAt: undefined });
    await vi.waitFor(() => expect(heard.ids()).toContain("b"));

    expect(heard.ids()).toEqual(["a", "a", "b"]);
    const presence = (await other.read(["a"])).get("a");
    expect(loadAt(presence, clock.now())).toMatchObject(reported);
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
      await store.beat({
        agentId: "full",
        now: clock.now(),
        reported: { inFlight },
        leaseExpireAt: undefined,
      });
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
    await vi.waitFor(() => expect(heard.ids()).toContain("a"));
    await vi.waitFor(() => expect(heard.changes.length).toBeGreaterThan(0));
    const lapsed = heard.ids().length;

    clock.forward(-60_000);

    await vi.waitFor(() => expect(heard.ids().length).toBeGreaterThan(lapsed));
  });

  test("has told of all until a moment ago", async () => {
    const { store, clock } = await open();

    await vi.waitFor(() => {
      expect(clock.now().getTime() - store.toldUntil().getTime()).toBeLessThan(1_000);
    });
  });

  test("says that all may have changed to who was away since before it began", async () => {
    const { store, clock } = await open();

    const change = await store.changesSince(later(clock.now(), -60_000));

    expect(change).toEqual({ kind: "all" });
  });
}
