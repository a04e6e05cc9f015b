import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, describe, expect, test, vi } from "vitest";
import { aClock, aDatabase, anId, aProfile, aReplica, aWatcher } from "./registry.ts";
import { aPrefix, REDIS_URL } from "./stores.ts";
import { aWire } from "./wire.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const lease = { seconds: 60n };
const database = REDIS_URL === "" ? undefined : await aDatabase();
afterAll(() => database?.[Symbol.asyncDispose]());

const url = database?.url ?? "";

describe.skipIf(REDIS_URL === "")(
  "WatchAgents, of a replica that has lost its store of leases,",
  () => {
    test("says since when, at once and with every event, until the store is back", async () => {
      using wire = await aWire();
      const [clock, prefix] = [aClock(), aPrefix()];
      await using here = await aReplica({ url, redisUrl: wire.url, now: clock.now, prefix });
      await using there = await aReplica({ url, redisUrl: REDIS_URL, now: clock.now, prefix });
      const agentId = anId();
      const profile = aProfile({ maxConcurrent: 2 });
      await here.operator.registerAgent({ agentId, profile, lease });
      await using watcher = aWatcher(here.operator);
      await using other = aWatcher(there.operator);
      await vi.waitFor(() => expect([watcher.isSynced(), other.isSynced()]).toEqual([true, true]));
      const lostMs = clock.now().getTime();
      const stateAt = (which: typeof watcher) => which.latest(agentId)?.availability?.state;

      wire.cut();
      await vi.waitFor(() => expect(watcher.messages.at(-1)?.staleSince).toBeDefined());
      const newcomer = anId();
      await there.operator.registerAgent({ agentId: newcomer, profile });
      await vi.waitFor(() => expect(watcher.latest(newcomer)).toBeDefined());
      await using late = aWatcher(here.operator, "", { together: true });
      await vi.waitFor(() => expect(late.isSynced()).toBe(true));
      clock.forward(120_000);
      await vi.waitFor(() => expect(stateAt(other)).toBe(OFFLINE));
      await here.operator.updateAgent({
        agentId,
        profile,
        updateMask: { paths: ["max_concurrent"] },
      });
      const [away, awayToo] = [[...watcher.messages], [...late.messages]];
      const states = [stateAt(watcher), stateAt(late)];
      wire.mend();
      await vi.waitFor(() => expect(watcher.messages.at(-1)?.staleSince).toBeUndefined());

      const begun = away.findIndex(({ staleSince }) => staleSince !== undefined);
      const told = away.slice(begun).map(({ staleSince }) => staleSince && timestampMs(staleSince));
      expect(new Set(told).size).toBe(1);
      expect(told[0]).toBeGreaterThanOrEqual(lostMs - 60_000);
      expect(told[0]).toBeLessThan(lostMs + 60_000);
      expect(awayToo.every(({ staleSince }) => staleSince !== undefined)).toBe(true);
      expect(other.messages.every(({ staleSince }) => staleSince === undefined)).toBe(true);
      expect(states).toEqual([ONLINE, ONLINE]);
    });

    test("tells who moves to another one of all that the first could not know", async () => {
      using wire = await aWire();
      const [clock, prefix] = [aClock(), aPrefix()];
      await using here = await aReplica({ url, redisUrl: wire.url, now: clock.now, prefix });
      await using there = await aReplica({ url, redisUrl: REDIS_URL, now: clock.now, prefix });
      const [died, lives] = [anId(), anId()];
      for (const agentId of [died, lives]) {
        await here.operator.registerAgent({ agentId, profile: aProfile(), lease });
      }
      await using watcher = aWatcher(here.operator);
      await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));

      wire.cut();
      await vi.waitFor(() => expect(watcher.messages.at(-1)?.staleSince).toBeDefined());
      clock.forward(120_000);
      await there.operator.heartbeat({ agentId: lives });
      await using moved = aWatcher(there.operator, watcher.token());
      await vi.waitFor(() => expect(moved.isSynced()).toBe(true));

      const stateOf = (agentId: string) => moved.latest(agentId)?.availability?.state;
      expect([stateOf(died), stateOf(lives)]).toEqual([OFFLINE, ONLINE]);
    });

    test("gives tokens that nobody can go on with as long as it never saw the store", async () => {
      const [clock, prefix] = [aClock(), aPrefix()];
      await using blind = await aReplica({
        url,
        redisUrl: "redis://127.0.0.1:1",
        now: clock.now,
        prefix,
      });
      await using there = await aReplica({ url, redisUrl: REDIS_URL, now: clock.now, prefix });
      await using watcher = aWatcher(blind.operator);
      await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));

      await using moved = aWatcher(there.operator, watcher.token());

      expect(reasonOf(await moved.over)).toBe("INVALID_RESUME_TOKEN");
    });
  },
);
