import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test, vi } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile, aWatcher, openRegistry, redisAvailability } from "./registry.ts";

const { ONLINE, BUSY, MAINTENANCE } = AvailabilityState;
const timeout = { seconds: 60n };

const clock = aClock();
const { database, registry } = await registryForFile({ now: clock.now });

async function anAgent(lease?: { seconds: bigint }): Promise<string> {
  const agentId = anId();
  const profile = aProfile({ maxConcurrent: 2 });
  await registry.operator.registerAgent({ agentId, profile, ...(lease && { lease }) });
  return agentId;
}

async function availabilityOf(agentId: string) {
  return (await registry.operator.getAgent({ agentId })).agent?.availability;
}

describe("AcquireSlot", () => {
  test("takes places until the agent is BUSY, then refuses with AGENT_FULL", async () => {
    const agentId = await anAgent();
    await registry.operator.heartbeat({ agentId, inFlight: 1 });

    const { slot } = await registry.as("service:discovery").acquireSlot({
      agentId,
      slotId: "first",
      timeout,
    });
    const refusal = await refused(
      registry.operator.acquireSlot({ agentId, slotId: "second", timeout }),
    );

    const expires = slot?.expireTime && timestampMs(slot.expireTime);
    const { inFlightTime, updateTime } = (await availabilityOf(agentId)) ?? {};
    expect(inFlightTime && updateTime && timestampMs(inFlightTime)).toBeGreaterThanOrEqual(
      updateTime ? timestampMs(updateTime) : 0,
    );
    expect(expires).toBeGreaterThan(clock.now().getTime() + 50_000);
    expect(await availabilityOf(agentId)).toMatchObject({ state: BUSY, inFlight: 2, openSlots: 1 });
    expect(refusal).toMatchObject({ reason: "AGENT_FULL", code: "ResourceExhausted" });
  });

  test("with the same id again is answered with the slot as it is", async () => {
    const agentId = await anAgent();
    const first = await registry.operator.acquireSlot({ agentId, slotId: "s", timeout });

    const again = { agentId, slotId: "s", timeout: { seconds: 5n } };

    expect(await registry.operator.acquireSlot(again)).toEqual(first);
    expect((await availabilityOf(agentId))?.openSlots).toBe(1);
  });

  test.each([
    {
      reason: "AGENT_NOT_FOUND",
      when: "of nobody",
      agentId: async () => anId(),
    },
    {
      reason: "AGENT_NOT_AVAILABLE",
      when: "of an agent in maintenance",
      agentId: async () => {
        const agentId = await anAgent();
        await registry.operator.heartbeat({ agentId, declaredState: MAINTENANCE });
        return agentId;
      },
    },
    {
      reason: "AGENT_NOT_AVAILABLE",
      when: "of an agent whose lease has lapsed",
      agentId: async () => {
        const agentId = await anAgent({ seconds: 30n });
        clock.forward(31_000);
        return agentId;
      },
    },
  ])("$when is refused with $reason", async ({ agentId, reason }) => {
    const slot = { agentId: await agentId(), slotId: "s", timeout };

    expect(await refused(registry.operator.acquireSlot(slot))).toMatchObject({ reason });
  });

  test("by an agent is refused with TOO_MANY_SLOTS when it holds half of the places of another", async () => {
    const agentId = await anAgent();
    const [buyer, other] = [registry.as("agent:buyer"), registry.as("agent:other")];
    const ask = (slotId: string) => ({ agentId, slotId, timeout });
    await buyer.acquireSlot(ask("first"));

    const refusal = await refused(buyer.acquireSlot(ask("second")));

    expect(refusal).toMatchObject({ reason: "TOO_MANY_SLOTS", code: "ResourceExhausted" });
    expect(refusal.metadata).toMatchObject({ holder: "agent:buyer", limit: "1" });
    expect((await availabilityOf(agentId))?.openSlots).toBe(1);
    await other.acquireSlot(ask("second"));
    expect(await refused(buyer.acquireSlot(ask("third")))).toMatchObject({ reason: "AGENT_FULL" });
  });

  test.each(["operator", "service:discovery", "the agent itself"])(
    "by %s takes every place",
    async (who) => {
      const agentId = await anAgent();
      const caller = registry.as(who === "the agent itself" ? `agent:${agentId}` : who);

      await caller.acquireSlot({ agentId, slotId: "first", timeout });
      await caller.acquireSlot({ agentId, slotId: "second", timeout });

      expect(await availabilityOf(agentId)).toMatchObject({ state: BUSY, openSlots: 2 });
    },
  );

  test("by a service counts for the agent that it names", async () => {
    const agentId = await anAgent();
    const discovery = registry.as("service:discovery");
    const ask = (slotId: string) => ({ agentId, slotId, timeout, holder: "agent:buyer" });
    await discovery.acquireSlot(ask("first"));

    expect(await refused(discovery.acquireSlot(ask("second")))).toMatchObject({
      reason: "TOO_MANY_SLOTS",
    });
  });

  test("by an agent for another is refused with PERMISSION_DENIED", async () => {
    const slot = { agentId: await anAgent(), slotId: "s", timeout, holder: "operator" };

    expect(await refused(registry.as("agent:buyer").acquireSlot(slot))).toMatchObject({
      reason: "PERMISSION_DENIED",
    });
  });

  test.each([
    { field: "holder", slot: { slotId: "s", timeout, holder: "buyer" } },
    { field: "timeout", slot: { slotId: "s" } },
    { field: "timeout", slot: { slotId: "s", timeout: { seconds: 3_601n } } },
    { field: "slot_id", slot: { slotId: "", timeout } },
  ])("with a wrong $field is refused with INVALID_REQUEST", async ({ field, slot }) => {
    const call = registry.operator.acquireSlot({ agentId: await anAgent(), ...slot });

    expect(await refused(call)).toMatchObject({ reason: "INVALID_REQUEST", fields: [field] });
  });

  test("is refused with AVAILABILITY_UNAVAILABLE while the store of leases is away", async () => {
    const url = "redis://127.0.0.1:1";
    await using away = await openRegistry({
      url: database.url,
      availability: await redisAvailability({ url, now: clock.now }),
    });
    const agentId = await anAgent();
    const slot = { agentId, slotId: "s" };
    const reason = "AVAILABILITY_UNAVAILABLE";
    const options = { timeoutMs: 8_000 };

    const calls = [
      () => away.operator.acquireSlot({ ...slot, timeout }, options),
      () => away.operator.renewSlot({ ...slot, timeout }, options),
      () => away.operator.releaseSlot(slot, options),
    ];

    for (const call of calls) expect(await refused(call())).toMatchObject({ reason });
    const { agent } = await away.operator.getAgent({ agentId });
    expect(agent?.availability).toMatchObject({ state: ONLINE, stale: true });
  });
});

describe("an open slot", () => {
  test("ends at its time-out, which its watchers hear of", async () => {
    const agentId = await anAgent();
    await using watcher = aWatcher(registry.operator);
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    const openSlots = () => watcher.latest(agentId)?.availability?.openSlots;

    await registry.operator.acquireSlot({ agentId, slotId: "s", timeout });
    await vi.waitFor(() => expect(openSlots()).toBe(1));
    clock.forward(60_001);

    await vi.waitFor(() => expect(openSlots()).toBe(0));
  });

  test("is kept by RenewSlot", async () => {
    const agentId = await anAgent();
    await registry.operator.acquireSlot({ agentId, slotId: "s", timeout });
    clock.forward(50_000);
    await registry.operator.renewSlot({ agentId, slotId: "s", timeout });

    clock.forward(50_000);

    expect(await registry.operator.releaseSlot({ agentId, slotId: "s" })).toMatchObject({
      released: true,
    });
  });

  test("gives its place back by ReleaseSlot, once", async () => {
    const agentId = await anAgent();
    await registry.operator.acquireSlot({ agentId, slotId: "s", timeout });

    const first = await registry.operator.releaseSlot({ agentId, slotId: "s" });
    const second = await registry.operator.releaseSlot({ agentId, slotId: "s" });

    expect([first.released, second.released]).toEqual([true, false]);
    expect(await availabilityOf(agentId)).toMatchObject({ state: ONLINE, inFlight: 0 });
  });

  test("that has ended is refused by RenewSlot with SLOT_NOT_FOUND", async () => {
    const agentId = await anAgent();
    await registry.operator.acquireSlot({ agentId, slotId: "s", timeout });
    clock.forward(60_001);

    const call = registry.operator.renewSlot({ agentId, slotId: "s", timeout });

    expect(await refused(call)).toMatchObject({ reason: "SLOT_NOT_FOUND", code: "NotFound" });
  });
});
