import { randomUUID } from "node:crypto";
import {
  BreakerCause,
  BreakerState,
  CallResult,
} from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHANGES_OF_A_SECOND, changesUntil } from "../support/clock.ts";
import { bourse } from "../support/command.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { readersOf, serveAgent } from "../support/readers.ts";

type Stranger = Awaited<ReturnType<TestMarket["stranger"]>>;

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

test("an agent that fails its callers is not picked until a few of them found it well again", async () => {
  const capability = "breaking";
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
  const shown = async () => (await other.discovery.searchAgents({ filter })).agents[0]?.breakers[0];
  const changes = await changesUntil(market, async () => (await shown()) !== undefined);
  expect(changes).toBeLessThanOrEqual(CHANGES_OF_A_SECOND);
  const breaker = await shown();
  expect(breaker).toMatchObject({ capability, cause: BreakerCause.TIMEOUT });

  // After the back-off three calls at a time may try it.
  const keptOutBy: unknown[] = [];
  const pickedOrNot = () =>
    picked().catch((error: unknown) => {
      keptOutBy.push(metadataOf(error)["breaker_open"]);
    });
  await expect.poll(pickedOrNot).toBe(agent.id);
  const retryMs = breaker?.retryTime ? timestampMs(breaker.retryTime) : Infinity;
  expect(Date.now()).toBeGreaterThanOrEqual(retryMs);
  expect(keptOutBy.filter((count) => count !== "1")).toEqual([]);
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

test("a caller of bourse:///capability tries an agent whose back-off is over, and calls it again", async () => {
  await using stack = new AsyncDisposableStack();
  const capability = `healing-${randomUUID()}`;
  const endpoint = { uri: `grpc://${await serveAgent(stack)}`, protocol: "grpc" };
  const { id: agentId } = await market.agent(capability, { capabilities: [capability], endpoint });
  const caller = await market.as("service:orders");
  const readers = readersOf(caller, { agentId, capability }, stack, capability);
  const stub = readers.at(-1) as (typeof readers)[0];
  await expect.poll(() => stub.isThere()).toBe(true);
  const breakers = async () => (await caller.registry.getAgent({ agentId })).agent?.breakers;

  const report = { agentId, capability, result: CallResult.FAILURE };
  await caller.registry.reportCalls({ reports: Array.from({ length: 5 }, () => report) });
  await expect.poll(() => stub.isThere()).toBe(false);
  expect(await breakers()).toMatchObject([{ capability, state: BreakerState.OPEN }]);

  await expect.poll(() => stub.isThere()).toBe(true);
  expect(await breakers()).toMatchObject([{ capability, state: BreakerState.HALF_OPEN }]);
  await expect
    .poll(async () => {
      await stub.isThere();
      return breakers();
    })
    .toEqual([]);
});
