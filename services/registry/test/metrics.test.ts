import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { expect, test, vi } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile } from "./registry.ts";

const { ONLINE, MAINTENANCE } = AvailabilityState;
const timeout = { seconds: 60n };

const clock = aClock();
const { registry } = await registryForFile({ now: clock.now });

async function readingOf(series: string): Promise<number> {
  const text = await registry.metrics.registry.metrics();
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.split(" ").at(-1));
}

async function anAgent(declaredState: AvailabilityState, seconds?: bigint): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({
    agentId,
    declaredState,
    profile: aProfile({ maxConcurrent: 1 }),
    ...(seconds !== undefined && { lease: { seconds } }),
  });
  return agentId;
}

test("agents online are those that declare it and whose lease, if they have one, holds", async () => {
  const online = 'marketplace_agents_online{service="registry"}';
  await anAgent(ONLINE);
  await anAgent(ONLINE, 60n);
  await anAgent(ONLINE, 600n);
  await anAgent(MAINTENANCE);
  await anAgent(MAINTENANCE, 60n);

  expect(await readingOf(online)).toBe(3);
  clock.forward(61_000);

  expect(await readingOf(online)).toBe(2);
});

test("slots that were asked for are counted by outcome", async () => {
  const asked = (outcome: string) =>
    readingOf(`marketplace_slots_asked_total{outcome="${outcome}",service="registry"}`);
  const [agentId, other] = [await anAgent(ONLINE), await anAgent(MAINTENANCE)];

  await registry.operator.acquireSlot({ agentId, slotId: "one", timeout });
  await refused(registry.operator.acquireSlot({ agentId, slotId: "two", timeout }));
  await refused(registry.operator.acquireSlot({ agentId: other, slotId: "two", timeout }));

  expect([await asked("taken"), await asked("full"), await asked("not_available")]).toEqual([
    1, 1, 1,
  ]);
});

test("the lag of availability is below a second while all is well, soon after the clock leapt", async () => {
  const lag = () => readingOf('marketplace_availability_lag_seconds{service="registry"}');
  clock.forward(61_000);

  await vi.waitFor(async () => expect(await lag()).toBeLessThan(1));
});
