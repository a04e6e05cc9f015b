import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test, vi } from "vitest";
import { aDatabase, anId, aProfile, aReplica, aWatcher } from "./registry.ts";
import { aPrefix, REDIS_URL } from "./stores.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const SECOND = { seconds: 1n };

if (REDIS_URL === "") test.skip("Redis: set REDIS_URL to run with two replicas", () => {});

describe.skipIf(REDIS_URL === "")("with two replicas, a lease that lapses", () => {
  // A machine that stalls may be late, but not each time.
  const retry = 3;
  test("makes the agent OFFLINE for every reader within a second, and a heartbeat brings it back", {
    retry,
  }, async () => {
    await using database = await aDatabase();
    const place = { url: database.url, redisUrl: REDIS_URL, prefix: aPrefix() };
    await using here = await aReplica(place);
    await using there = await aReplica(place);
    const agentId = anId();
    await here.operator.registerAgent({ agentId, profile: aProfile(), lease: SECOND });
    await using nearby = aWatcher(here.operator);
    await using far = aWatcher(there.operator);
    const readers = [
      async () => (await here.operator.getAgent({ agentId })).agent,
      async () => (await there.operator.getAgent({ agentId })).agent,
      async () => (await there.operator.listAgents({})).agents[0],
      async () => (await there.operator.batchGetAgents({ agentIds: [agentId] })).agents[0],
      async () => nearby.latest(agentId),
      async () => far.latest(agentId),
    ];
    await vi.waitFor(() => expect([nearby, far].every((one) => one.isSynced())).toBe(true));

    const { availability } = await here.operator.heartbeat({ agentId, inFlight: 1 });
    const lapseMs = availability?.leaseExpireTime ? timestampMs(availability.leaseExpireTime) : 0;
    const delays = await Promise.all(
      readers.map(async (read) => {
        await vi.waitFor(async () => {
          expect((await read())?.availability).toMatchObject({ state: OFFLINE, inFlight: 0 });
        });
        return Date.now() - lapseMs;
      }),
    );
    await there.operator.heartbeat({ agentId, lease: { seconds: 60n } });

    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(1_000);
    for (const read of readers) {
      await vi.waitFor(async () => expect((await read())?.availability?.state).toBe(ONLINE));
    }
  });
});
