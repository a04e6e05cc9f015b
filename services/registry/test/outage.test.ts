import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedis,
  type TestRedisServer,
} from "@bourse/service/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { refused } from "./refused.ts";
import { aDatabase, anId, aProfile, aReplica, aWatcher } from "./registry.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const LEASE = { seconds: 3_600n };
const timeout = { seconds: 600n };

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

describe.skipIf(isSkipped)("two replicas over a Redis that is killed and comes back empty", () => {
  let redis: TestRedisServer;
  let database: Awaited<ReturnType<typeof aDatabase>>;
  const replicas: Awaited<ReturnType<typeof aReplica>>[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    database = await aDatabase();
    for (let nth = 0; nth < 2; nth++) {
      replicas.push(await aReplica({ url: database.url, redisUrl: redis.url }));
    }
  });
  afterAll(async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  const replica = (nth: number) => replicas[nth] as (typeof replicas)[0];

  async function availabilityAt(nth: number, agentId: string) {
    return (await replica(nth).operator.getAgent({ agentId })).agent?.availability;
  }

  test("lose no registration, answer with what they know and say so, and are filled by heartbeats", async () => {
    const agentIds = Array.from({ length: 20 }, () => anId());
    const profile = aProfile({ maxConcurrent: 2 });
    await replica(0).operator.batchRegisterAgents({
      requests: agentIds.map((agentId) => ({ agentId, profile, lease: LEASE })),
    });
    const [agentId = ""] = agentIds;
    const slot = { agentId, slotId: "s", timeout };
    await replica(0).operator.heartbeat({ agentId, inFlight: 1 });
    await replica(1).operator.acquireSlot(slot);
    const known = await availabilityAt(0, agentId);
    await using watcher = aWatcher(replica(1).operator);
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));

    await redis.kill();
    const heartbeat = await refused(replica(0).operator.heartbeat({ agentId }));
    const meanwhile = await availabilityAt(0, agentId);
    const { agents } = await replica(1).operator.listAgents({});
    await redis.restart();

    expect(known).toMatchObject({ inFlight: 2, openSlots: 1, stale: false });
    expect(heartbeat).toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE" });
    expect(meanwhile).toEqual({ ...known, stale: true });
    expect(agents.map((agent) => agent.agentId).sort()).toEqual([...agentIds].sort());
    expect(agents.every(({ availability }) => availability?.stale === true)).toBe(true);

    for (const nth of [0, 1]) {
      await vi.waitFor(async () => {
        const held = { state: ONLINE, inFlight: 1, openSlots: 0, stale: false };
        expect(await availabilityAt(nth, agentId)).toMatchObject(held);
      });
    }
    const last = () => watcher.latest(agentId)?.availability;
    await vi.waitFor(() => expect(last()).toMatchObject({ state: ONLINE, inFlight: 1 }));
    await Promise.all(
      agentIds.map((id, n) => replica(n % 2).operator.heartbeat({ agentId: id, inFlight: 1 })),
    );
    await replica(1).operator.acquireSlot(slot);

    for (const nth of [0, 1]) {
      const page = await replica(nth).operator.listAgents({});
      expect(page.agents.map(({ availability }) => availability?.state)).toContain(ONLINE);
      expect(page.agents.every(({ availability }) => availability?.state !== OFFLINE)).toBe(true);
      expect(await availabilityAt(nth, agentId)).toMatchObject({ inFlight: 2, stale: false });
    }
    await vi.waitFor(() => expect(last()).toMatchObject({ inFlight: 2, openSlots: 1 }));
  });

  test("know breakers as they were, take no reports, and find all closed when Redis is back empty", async () => {
    const agentId = anId();
    await replica(0).operator.registerAgent({ agentId, profile: aProfile() });
    const report = { agentId, capability: "python", result: CallResult.FAILURE };
    const reports = Array.from({ length: 5 }, () => report);
    const breakersAt = async (nth: number) =>
      (await replica(nth).operator.getAgent({ agentId })).agent?.breakers.length;
    await replica(0).operator.reportCalls({ reports });
    for (const nth of [0, 1]) await vi.waitFor(async () => expect(await breakersAt(nth)).toBe(1));
    const list = () => replica(1).operator.listBreakers({});
    expect(await list()).toMatchObject({ stale: false, totalSize: 1n });

    await redis.kill();
    const refusal = await refused(replica(1).operator.reportCalls({ reports }));
    const meanwhile = [await breakersAt(0), await breakersAt(1)];
    await vi.waitFor(async () => {
      expect(await list()).toMatchObject({ stale: true, breakers: [{ agentId }] });
    });
    await redis.restart();

    expect(refusal).toMatchObject({ reason: "BREAKERS_UNAVAILABLE" });
    expect(meanwhile).toEqual([1, 1]);
    for (const nth of [0, 1]) await vi.waitFor(async () => expect(await breakersAt(nth)).toBe(0));
    await vi.waitFor(async () =>
      expect(await list()).toMatchObject({ stale: false, totalSize: 0n }),
    );
    await replica(1).operator.reportCalls({ reports });
    for (const nth of [0, 1]) await vi.waitFor(async () => expect(await breakersAt(nth)).toBe(1));
  });
});
