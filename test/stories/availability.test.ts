import { randomUUID } from "node:crypto";
import { type Availability, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANGES_OF_A_SECOND, changesUntil } from "../support/clock.ts";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { readersOf, serveAgent } from "../support/readers.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const { REDIS_URL } = process.env;

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** Agents with a capability of their own, once discovery knows them. */
async function agentsFor(capability: string, count: number, maxConcurrent = 2) {
  const profile = { capabilities: [capability], maxConcurrent };
  const agents = await Promise.all(
    Array.from({ length: count }, () => market.agent(capability, profile)),
  );
  await expect.poll(() => onlineOf(capability)).toBe(count);
  return agents;
}

async function onlineOf(capability: string): Promise<number> {
  const filter = { capabilities: [capability], states: [ONLINE] };
  const { totalSize } = await market.operator.discovery.searchAgents({ filter });
  return Number(totalSize);
}

test("callers who ask at the same time never share a place, and nobody is sent to a full agent", async () => {
  const capability = "shared-places";
  const agents = await agentsFor(capability, 3);
  const [buyer, other] = [await market.stranger("caller"), await market.stranger("caller")];
  const select = (caller = buyer, seconds = 600n) =>
    caller.discovery.selectAgent({
      filter: { capabilities: [capability] },
      slot: { timeout: { seconds } },
    });

  const picks = await Promise.allSettled(
    Array.from({ length: 30 }, (_, nth) => select(nth % 2 ? buyer : other)),
  );

  const taken = picks.flatMap((pick) => (pick.status === "fulfilled" ? [pick.value] : []));
  const refusals = picks.flatMap((pick) => (pick.status === "rejected" ? [pick.reason] : []));
  expect(taken.map(({ agent }) => agent?.agentId).sort()).toEqual(
    agents.flatMap(({ id }) => [id, id]).sort(),
  );
  expect(taken.every(({ agent, slot }) => slot?.agentId === agent?.agentId)).toBe(true);
  expect([...new Set(refusals.map(reasonOf))]).toEqual(["NO_ELIGIBLE_AGENTS"]);
  for (const refusal of refusals) {
    const { full = 0, not_available = 0, share_taken = 0 } = metadataOf(refusal);
    expect(Number(full) + Number(not_available) + Number(share_taken)).toBe(3);
  }
  await expect.poll(() => onlineOf(capability)).toBe(0);

  const ofBuyer = picks
    .filter((_, nth) => nth % 2 === 1)
    .find((pick) => pick.status === "fulfilled");
  const { agentId = "", slotId = "" } = ofBuyer?.value.slot ?? {};
  await buyer.registry.releaseSlot({ agentId, slotId });
  await expect.poll(() => onlineOf(capability)).toBe(1);
  const brief = await select(buyer, 5n);
  expect(brief.agent?.agentId).toBe(agentId);
  await expect.poll(() => onlineOf(capability)).toBe(0);

  const ended = brief.slot?.expireTime ? timestampMs(brief.slot.expireTime) : 0;
  await expect.poll(() => onlineOf(capability)).toBe(1);
  expect(Date.now() - ended).toBeGreaterThanOrEqual(0);
});

test("one caller takes half of an agent's places, and leaves the other half to others", async () => {
  const capability = "half-places";
  const [agent] = await agentsFor(capability, 1, 4);
  const [buyer, other] = [await market.stranger("caller"), await market.stranger("caller")];
  const select = (caller: typeof buyer) =>
    caller.discovery.selectAgent({
      filter: { capabilities: [capability] },
      slot: { timeout: { seconds: 600n } },
    });
  await select(buyer);
  await select(buyer);

  const refusal = await select(buyer).catch((error: unknown) => error);
  const picks = [await select(other), await select(other)];

  expect(reasonOf(refusal)).toBe("NO_ELIGIBLE_AGENTS");
  expect(metadataOf(refusal)).toMatchObject({ share_taken: "1" });
  expect(picks.map((pick) => pick.slot?.agentId)).toEqual([agent?.id, agent?.id]);
});

test("a silent agent is OFFLINE in discovery as soon as its lease has lapsed, and back with a heartbeat", async () => {
  const capability = "silent";
  const agents = await agentsFor(capability, 1);
  const agent = agents[0] as (typeof agents)[0];
  const availability = async () => {
    const filter = { capabilities: [capability] };
    const { agents } = await market.operator.discovery.searchAgents({ filter });
    return agents[0]?.availability;
  };
  const lapsedMs = await knownLease(agent, availability);
  const late: number[] = [];

  await expect
    .poll(async () => {
      const askedMs = Date.now();
      const state = (await availability())?.state;
      // Asked, so answered, when it had lapsed: no machine is too slow for that.
      if (state !== OFFLINE && askedMs >= lapsedMs) late.push(askedMs - lapsedMs);
      return state;
    })
    .toBe(OFFLINE);
  const heardMs = Date.now();
  await agent.registry.heartbeat({ agentId: agent.id, lease: { seconds: 3_600n } });

  expect(late).toEqual([]);
  expect(heardMs).toBeGreaterThanOrEqual(lapsedMs);
  await expect.poll(async () => (await availability())?.state).toBe(ONLINE);
});

describe("an agent that falls silent is OFFLINE for every reader within a second, and back with a heartbeat", () => {
  test("when leases are in memory", () => fallSilent(market));

  test.skipIf(REDIS_URL === undefined)(
    "when leases are in Redis, and discovery has two workers",
    async () => {
      await using other = await startTestMarket({ redisUrl: REDIS_URL, workers: 2 });
      await fallSilent(other);
    },
  );
});

async function fallSilent(market: TestMarket): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const capability = `silent-${randomUUID()}`;
  const endpoint = { uri: `grpc://${await serveAgent(stack)}`, protocol: "grpc" };
  const agent = await market.agent(capability, { capabilities: [capability], endpoint });
  // Each has connections of its own, so that both workers may be asked.
  const callers = await Promise.all(Array.from({ length: 2 }, () => market.as("service:orders")));
  const readers = callers.flatMap((caller, nth) =>
    readersOf(caller, { agentId: agent.id, capability }, stack, `${capability}-${nth}`),
  );
  const told = () => Promise.all(readers.map((reader) => reader.isThere()));
  await expect.poll(told).toEqual(readers.map(() => true));

  const lease = { seconds: 2n };
  const { availability } = await agent.registry.heartbeat({ agentId: agent.id, lease });
  const lapsedMs = endOf(availability);
  const early: string[] = [];
  await expect
    .poll(async () => {
      const said = await told();
      const isLapsed = Date.now() >= lapsedMs;
      if (!isLapsed) early.push(...readers.filter((_, nth) => !said[nth]).map(({ name }) => name));
      return isLapsed;
    })
    .toBe(true);
  const changes = await changesUntil(market, async () =>
    (await told()).every((is) => is === false),
  );
  await agent.registry.heartbeat({ agentId: agent.id, lease: { seconds: 3_600n } });
  await expect.poll(told).toEqual(readers.map(() => true));

  expect(early).toEqual([]);
  expect(changes).toBeLessThanOrEqual(CHANGES_OF_A_SECOND);
}

/**
 * Gives an agent a lease that discovery knows of before it lapses, and says when it does: a short one, or on a busy
 * machine a longer one.
 */
async function knownLease(
  agent: Actor,
  shown: () => Promise<Availability | undefined>,
): Promise<number> {
  for (let seconds = 1n; ; seconds *= 2n) {
    const { availability } = await agent.registry.heartbeat({
      agentId: agent.id,
      lease: { seconds },
    });
    const endMs = endOf(availability);
    await expect.poll(async () => endOf(await shown()) === endMs || Date.now() >= endMs).toBe(true);
    if (Date.now() < endMs) return endMs;
  }
}

function endOf(availability: Availability | undefined): number {
  return availability?.leaseExpireTime ? timestampMs(availability.leaseExpireTime) : 0;
}
