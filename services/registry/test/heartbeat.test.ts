import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { createMemoryAvailability } from "../src/memory.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile, openRegistry, redisAvailability } from "./registry.ts";

const { ONLINE, BUSY, OFFLINE, MAINTENANCE } = AvailabilityState;
const MINUTE = { seconds: 60n };

const clock = aClock();
const { database, registry } = await registryForFile({ now: clock.now });

async function anAgent(lease?: { seconds: bigint }): Promise<string> {
  const agentId = anId();
  const profile = aProfile({ maxConcurrent: 2 });
  await registry.operator.registerAgent({ agentId, profile, ...(lease && { lease }) });
  return agentId;
}

async function read(agentId: string) {
  const { agent } = await registry.operator.getAgent({ agentId });
  if (agent === undefined) throw new Error("no agent");
  return agent;
}

describe("Heartbeat", () => {
  test("renews the lease and says when the next is due", async () => {
    const agentId = await anAgent(MINUTE);

    const answer = await registry.as(`agent:${agentId}`).heartbeat({ agentId });

    const expires = answer.availability?.leaseExpireTime;
    const heard = answer.availability?.updateTime;
    expect(answer.nextHeartbeatIn && durationMs(answer.nextHeartbeatIn)).toBe(20_000);
    expect(expires && heard && timestampMs(expires) - timestampMs(heard)).toBe(60_000);
    expect((await read(agentId)).availability).toEqual(answer.availability);
  });

  test("of an agent without a lease says nothing of the next", async () => {
    const agentId = await anAgent();

    const answer = await registry.operator.heartbeat({ agentId });

    expect(answer.nextHeartbeatIn).toBeUndefined();
    expect(answer.availability?.leaseExpireTime).toBeUndefined();
  });

  test("an agent whose lease lapses is OFFLINE, and back with its next heartbeat", async () => {
    const agentId = await anAgent(MINUTE);

    clock.forward(61_000);
    const lapsed = await read(agentId);
    await registry.operator.heartbeat({ agentId });

    expect(lapsed.availability).toMatchObject({ state: OFFLINE, declaredState: ONLINE });
    expect((await read(agentId)).availability?.state).toBe(ONLINE);
  });

  test.each`
    declared       | inFlight | state          | because
    ${ONLINE}      | ${1}     | ${ONLINE}      | ${"it takes one more"}
    ${ONLINE}      | ${2}     | ${BUSY}        | ${"it works on all it takes"}
    ${BUSY}        | ${0}     | ${BUSY}        | ${"it says so"}
    ${MAINTENANCE} | ${2}     | ${MAINTENANCE} | ${"it says so"}
    ${OFFLINE}     | ${0}     | ${OFFLINE}     | ${"it says so"}
  `("an agent is $state because $because", async ({ declared, inFlight, state }) => {
    const agentId = await anAgent();

    const answer = await registry.operator.heartbeat({
      agentId,
      declaredState: declared,
      inFlight,
    });

    expect(answer.availability).toMatchObject({ state, declaredState: declared, inFlight });
    expect((await read(agentId)).availability).toMatchObject({ state, inFlight });
  });

  test("an agent without a lease that was full and is silent for ten minutes takes work again", async () => {
    const agentId = await anAgent();
    const { availability: full } = await registry.operator.heartbeat({ agentId, inFlight: 2 });

    clock.forward(600_000);

    expect(full?.state).toBe(BUSY);
    expect((await read(agentId)).availability).toMatchObject({ state: ONLINE, inFlight: 0 });
  });

  test("leaves as it was what it does not name", async () => {
    const agentId = await anAgent(MINUTE);
    await registry.operator.heartbeat({ agentId, declaredState: MAINTENANCE, inFlight: 1 });

    const { availability } = await registry.operator.heartbeat({ agentId });

    expect(availability).toMatchObject({ declaredState: MAINTENANCE, inFlight: 1 });
    expect(availability?.leaseExpireTime).toBeDefined();
  });

  test("leaves what another heartbeat changes meanwhile", async () => {
    const agentId = await anAgent();
    const locked = await registry.pool.connect();
    await locked.query("begin");
    await locked.query("select from agents where id = $1 for update", [agentId]);
    const waiting = async (count: number) => {
      await expect
        .poll(async () => {
          const { rows } = await registry.pool.query<{ n: number }>(
            `select count(*)::int as n from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'`,
          );
          return rows[0]?.n;
        })
        .toBe(count);
    };

    const first = registry.operator.heartbeat({ agentId, declaredState: MAINTENANCE });
    await waiting(1);
    const second = registry.operator.heartbeat({ agentId, lease: MINUTE });
    await waiting(2);
    await locked.query("commit");
    locked.release();
    await Promise.all([first, second]);

    const agent = await read(agentId);
    expect(agent.availability?.declaredState).toBe(MAINTENANCE);
    expect((await second).availability?.declaredState).toBe(MAINTENANCE);
    expect((await registry.operator.heartbeat({ agentId })).nextHeartbeatIn?.seconds).toBe(20n);
  });

  test("writes to the database only what changes the declared state or the lease", async () => {
    const agentId = await anAgent(MINUTE);
    const changedIn = async () => {
      const { rows } = await registry.pool.query("select * from agents where id = $1", [agentId]);
      return JSON.stringify(rows[0]);
    };
    const before = await changedIn();

    await registry.operator.heartbeat({ agentId, declaredState: ONLINE, inFlight: 1 });
    await registry.operator.heartbeat({ agentId, lease: MINUTE });
    const same = await changedIn();
    await registry.operator.heartbeat({ agentId, lease: { seconds: 90n } });
    const { etag } = await read(agentId);

    expect(same).toBe(before);
    expect(etag).toBe("2");
  });

  test.each([
    { title: "of nobody is refused with AGENT_NOT_FOUND", agentId: () => Promise.resolve(anId()) },
    {
      title: "of an agent that was unregistered is refused with AGENT_NOT_FOUND",
      agentId: async () => {
        const agentId = await anAgent();
        await registry.operator.unregisterAgent({ agentId });
        return agentId;
      },
    },
  ])("$title", async ({ agentId }) => {
    const call = registry.operator.heartbeat({ agentId: await agentId() });

    expect(await refused(call)).toMatchObject({ reason: "AGENT_NOT_FOUND", code: "NotFound" });
  });

  test.each([
    { field: "in_flight", request: { inFlight: -1 } },
    { field: "lease", request: { lease: { seconds: 0n } } },
    { field: "lease", request: { lease: { seconds: 86_401n } } },
    { field: "declared_state", request: { declaredState: 17 as AvailabilityState } },
  ])("with a wrong $field is refused with INVALID_REQUEST", async ({ field, request }) => {
    const agentId = await anAgent();

    const call = registry.operator.heartbeat({ agentId, ...request });

    expect(await refused(call)).toMatchObject({ reason: "INVALID_REQUEST", fields: [field] });
  });

  test("of another agent is refused with PERMISSION_DENIED", async () => {
    const agentId = await anAgent();

    const call = registry.as(`agent:${anId()}`).heartbeat({ agentId });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("when the store of leases was lost", () => {
  test("agents with a lease are OFFLINE until they are heard of, others as they declared", async () => {
    const [leased, free] = [await anAgent(MINUTE), await anAgent()];
    await using empty = await openRegistry({
      url: database.url,
      availability: createMemoryAvailability({ now: clock.now }),
    });
    const stateOf = async (agentId: string) =>
      (await empty.operator.getAgent({ agentId })).agent?.availability?.state;

    expect(await stateOf(leased)).toBe(OFFLINE);
    expect(await stateOf(free)).toBe(ONLINE);
    await empty.operator.heartbeat({ agentId: leased });

    expect(await stateOf(leased)).toBe(ONLINE);
  });
});

describe("when Redis is away", () => {
  test("heartbeats are refused and change nothing, and all else goes on", async () => {
    await using away = await openRegistry({
      url: database.url,
      availability: await redisAvailability({ url: "redis://127.0.0.1:1", now: clock.now }),
    });
    const agentId = anId();
    await away.operator.registerAgent({ agentId, profile: aProfile() });

    const refusal = await refused(
      away.operator.heartbeat({ agentId, declaredState: MAINTENANCE }, { timeoutMs: 8_000 }),
    );

    expect(refusal).toMatchObject({ reason: "AVAILABILITY_UNAVAILABLE", code: "Unavailable" });
    const { agent } = await away.operator.getAgent({ agentId });
    expect(agent?.availability?.state).toBe(ONLINE);
  });
});
