import { randomUUID } from "node:crypto";
import { BreakerState, CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bourse } from "../support/command.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";

type Stranger = Awaited<ReturnType<TestMarket["stranger"]>>;

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

// A machine that stalls may be late, but not each time.
const retry = 3;
test("an agent that fails its callers is not picked until a few of them found it well again", {
  retry,
}, async () => {
  const capability = `breaking-${randomUUID()}`;
  const filter = { capabilities: [capability] };
  const agent = await market.agent(capability, { capabilities: [capability] });
  const callers = await Promise.all(Array.from({ length: 5 }, () => market.stranger("caller")));
  const [caller, other, ...others] = callers as [Stranger, Stranger, ...Stranger[]];
  const select = () => other.discovery.selectAgent({ filter });
  const picked = async () => (await select()).agent?.agentId;
  const refusal = () => select().then(() => undefined, metadataOf);
  const report = (who: Stranger, result: CallResult, count: number) =>
    who.registry.reportCalls({
      reports: Array.from({ length: count }, () => ({ agentId: agent.id, capability, result })),
    });
  await expect.poll(() => picked().catch(reasonOf)).toBe(agent.id);

  // Callers it has never worked for count once each, however often they say so.
  await report(caller, CallResult.FAILURE, 1_000);
  for (const one of others) await report(one, CallResult.FAILURE, 10);
  expect(await picked()).toBe(agent.id);
  await report(other, CallResult.TIMEOUT, 1);
  const openedMs = Date.now();
  await expect.poll(async () => (await refusal())?.["breaker_open"]).toBe("1");
  expect(Date.now() - openedMs).toBeLessThan(1_000);
  const { agent: shown } = await caller.registry.getAgent({ agentId: agent.id });
  const [breaker] = shown?.breakers ?? [];
  expect(breaker).toMatchObject({ capability, state: BreakerState.OPEN });

  // After the back-off three calls at a time may try it.
  await expect.poll(() => picked().catch(reasonOf)).toBe(agent.id);
  const retryMs = breaker?.retryTime ? timestampMs(breaker.retryTime) : Infinity;
  expect(Date.now()).toBeGreaterThanOrEqual(retryMs);
  expect([await picked(), await picked()]).toEqual([agent.id, agent.id]);
  expect(await refusal()).toMatchObject({ breaker_open: "1" });

  await report(caller, CallResult.SUCCESS, 2);
  await report(other, CallResult.SUCCESS, 1);
  await expect.poll(() => picked().catch(reasonOf)).toBe(agent.id);
  const { agent: healed } = await caller.registry.getAgent({ agentId: agent.id });
  expect(healed?.breakers).toEqual([]);
});

test("an operator sees from the command line which breakers are open and why, and closes one", async () => {
  const capability = "shown";
  const { id } = await market.agent(capability, { capabilities: [capability] });
  const report = { agentId: id, capability, result: CallResult.TIMEOUT };
  const run = (...parameters: string[]) =>
    bourse("breakers", ...parameters, "--data", market.market.folder.root);
  const list = async (...parameters: string[]) =>
    (await run("list", "--agent", id, ...parameters)).stdout;
  const none = await list();
  await market.operator.registry.reportCalls({ reports: Array.from({ length: 5 }, () => report) });

  const table = await list("--capability", " Shown ");
  const { breakers } = JSON.parse(await list("--json"));
  const other = await run("reset", id, "another");
  const reset = await run("reset", id, capability);
  const again = JSON.parse((await run("reset", id, "--json")).stdout);
  const nobody = await run("reset", "nobody");

  expect(none).toContain("no breaker that was asked for is open");
  expect(table).toMatch(new RegExp(`${id} .*shown .*open .*time-outs .*Z `));
  expect(breakers).toMatchObject([
    { agent_id: id, breaker: { capability, cause: "BREAKER_CAUSE_TIMEOUT" } },
  ]);
  expect(other).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("was open") });
  expect(reset.stdout).toMatch(
    new RegExp(`^closed ${id} at shown: it was (half )?open, opened at .*Z\n$`),
  );
  expect(again).toEqual({ breakers: [] });
  expect(nobody).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("AGENT_NOT_FOUND") });
  expect(await list()).toBe(none);
});

test("an operator closes a breaker at once", async () => {
  const capability = "reset";
  const filter = { capabilities: [capability] };
  const { id: agentId } = await market.agent(capability, { capabilities: [capability] });
  const picked = async () =>
    (await market.operator.discovery.selectAgent({ filter })).agent?.agentId;
  const report = { agentId, capability, result: CallResult.FAILURE };
  await market.operator.registry.reportCalls({ reports: Array.from({ length: 5 }, () => report) });
  await expect.poll(() => picked().catch(reasonOf)).toBe("NO_ELIGIBLE_AGENTS");

  const { breakers } = await market.operator.registry.resetBreaker({ agentId });

  expect(breakers).toHaveLength(1);
  await expect.poll(() => picked().catch(reasonOf)).toBe(agentId);
});
