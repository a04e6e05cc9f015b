import { randomUUID } from "node:crypto";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMarket, type TestMarket } from "../support/market.ts";

const { ONLINE, OFFLINE } = AvailabilityState;

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
  const brief = await select(buyer, 2n);
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

// A machine that stalls may be late, but not each time.
const retry = 3;
test("an agent that falls silent is OFFLINE in discovery within a second, and back with its heartbeat", {
  retry,
}, async () => {
  const capability = `silent-${randomUUID()}`;
  const [agent] = await agentsFor(capability, 1);
  if (agent === undefined) throw new Error("no agent");
  const stateOf = async () => {
    const { agents } = await market.operator.discovery.searchAgents({
      filter: { capabilities: [capability] },
    });
    return agents[0]?.availability?.state;
  };

  const { availability } = await agent.registry.heartbeat({
    agentId: agent.id,
    lease: { seconds: 1n },
  });
  await expect.poll(stateOf).toBe(OFFLINE);
  const heardMs = Date.now();
  const lapsedMs = availability?.leaseExpireTime ? timestampMs(availability.leaseExpireTime) : 0;
  await agent.registry.heartbeat({ agentId: agent.id, lease: { seconds: 60n } });

  expect(heardMs - lapsedMs).toBeGreaterThanOrEqual(0);
  expect(heardMs - lapsedMs).toBeLessThan(1_000);
  await expect.poll(stateOf).toBe(ONLINE);
});
