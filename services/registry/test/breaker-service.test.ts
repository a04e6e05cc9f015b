import { BreakerState, CallResult } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test, vi } from "vitest";
import { BACKOFF_MS } from "../src/breaker.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile, aWatcher, openRegistry } from "./registry.ts";

const clock = aClock();
const { database, registry } = await registryForFile({ now: clock.now });

async function anAgent(): Promise<string> {
  const agentId = anId();
  const profile = aProfile({ capabilities: ["python", "go"] });
  await registry.operator.registerAgent({ agentId, profile });
  return agentId;
}

function nameOf(state: BreakerState): string {
  return Object.entries(BreakerState).find(([, value]) => value === state)?.[0] ?? "";
}

function reports(agentId: string, count: number, result: CallResult = CallResult.FAILURE) {
  return {
    reports: Array.from({ length: count }, () => ({ agentId, capability: " Python ", result })),
  };
}

async function breakersOf(agentId: string, from = registry.operator) {
  const { agent } = await from.getAgent({ agentId });
  return (agent?.breakers ?? []).map(({ capability, state }) => `${capability} ${nameOf(state)}`);
}

function anOutcome(agentId: string, overrides: object = {}) {
  return {
    outcomeId: anId("outcome"),
    agentId,
    requesterId: "buyer",
    capability: "python",
    outcome: {
      success: false,
      estimatedLatency: { seconds: 100n },
      actualLatency: { seconds: 100n },
      price: { micros: 1n, currencyCode: "EUR" },
    },
    endTime: timestampFromDate(clock.now()),
    ...overrides,
  };
}

/** A task of this buyer in which the agent has succeeded. */
async function pay(agentId: string, requesterId: string): Promise<void> {
  const { outcome } = anOutcome(agentId);
  const success = { ...outcome, success: true };
  await registry.auction.recordOutcome(anOutcome(agentId, { requesterId, outcome: success }));
}

describe("ReportCalls", () => {
  test("of 5 failures opens the breaker of that capability, which the agent shows", async () => {
    const agentId = await anAgent();

    const answer = await registry.as("service:router").reportCalls(reports(agentId, 5));

    expect(answer).toMatchObject({ accepted: 5, ignored: 0 });
    expect(await breakersOf(agentId)).toEqual(["python OPEN"]);
    const { agents } = await registry.operator.batchGetAgents({ agentIds: [agentId] });
    expect(agents[0]?.breakers).toMatchObject([{ backoff: { seconds: 5n }, successes: 0 }]);
  });

  test("of one customer alone opens nothing, of two together does", async () => {
    const agentId = await anAgent();
    await pay(agentId, "rival");
    await pay(agentId, "other");

    await registry.as("agent:rival").reportCalls(reports(agentId, 1_000));
    const alone = await breakersOf(agentId);
    await registry.as("agent:other").reportCalls(reports(agentId, 2, CallResult.TIMEOUT));

    expect(alone).toEqual([]);
    expect(await breakersOf(agentId)).toEqual(["python OPEN"]);
  });

  test("of agents for whom it has done nothing takes five of them, and a task that failed is nothing", async () => {
    const agentId = await anAgent();
    await registry.auction.recordOutcome(anOutcome(agentId, { requesterId: "stranger-1" }));
    await registry.operator.resetBreaker({ agentId });
    const strangers = [1, 2, 3, 4, 5].map((n) => registry.as(`agent:stranger-${n}`));

    for (const stranger of strangers.slice(0, 4)) await stranger.reportCalls(reports(agentId, 9));
    const before = await breakersOf(agentId);
    await strangers[4]?.reportCalls(reports(agentId, 1));

    expect(before).toEqual([]);
    expect(await breakersOf(agentId)).toEqual(["python OPEN"]);
  });

  test("ignores what an agent tells of itself, and who is not there", async () => {
    const agentId = await anAgent();
    const failure = { agentId, capability: "python", result: CallResult.FAILURE };

    const answer = await registry.as(`agent:${agentId}`).reportCalls({
      reports: [
        { ...failure, result: CallResult.SUCCESS },
        { ...failure, agentId: "nobody" },
        failure,
      ],
    });
    const unknown = await registry.operator.reportCalls({
      reports: [failure, { ...failure, capability: "cobol" }],
    });

    expect(answer).toMatchObject({ accepted: 0, ignored: 3 });
    expect(unknown).toMatchObject({ accepted: 1, ignored: 1 });
  });

  test("counts a report once by its id", async () => {
    const agentId = await anAgent();
    const report = { reportId: "r", agentId, capability: "go", result: CallResult.FAILURE };

    await registry.operator.reportCalls({ reports: Array.from({ length: 9 }, () => report) });

    expect(await breakersOf(agentId)).toEqual([]);
  });

  test("of something else than a call is refused with INVALID_REQUEST", async () => {
    const call = registry.operator.reportCalls({
      reports: [{ agentId: "a b", capability: "", result: CallResult.UNSPECIFIED }],
    });

    expect(await refused(call)).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: ["reports[0].agent_id", "reports[0].capability", "reports[0].result"],
    });
  });
});

describe("RecordOutcome", () => {
  test("counts failures of two buyers, once each, and not those of one", async () => {
    const agentId = await anAgent();
    const outcomes = Array.from({ length: 5 }, () => anOutcome(agentId));
    for (const outcome of outcomes) await registry.auction.recordOutcome(outcome);
    const alone = await breakersOf(agentId);

    const other = anOutcome(agentId, { requesterId: "other" });
    for (let n = 0; n < 5; n++) await registry.auction.recordOutcome(other);
    const once = await breakersOf(agentId);
    await registry.auction.recordOutcome(anOutcome(agentId, { requesterId: "other" }));

    expect([alone, once]).toEqual([[], []]);
    expect(await breakersOf(agentId)).toEqual(["python OPEN"]);
  });

  test("opens the breaker of an agent whose calibration falls below 0.5", async () => {
    const agentId = await anAgent();
    const late = { ...anOutcome(agentId).outcome, actualLatency: { seconds: 1_000n } };

    await registry.auction.recordOutcome(anOutcome(agentId, { outcome: late }));
    const first = await breakersOf(agentId);
    await registry.auction.recordOutcome(anOutcome(agentId, { outcome: late }));

    expect(first).toEqual([]);
    expect(await breakersOf(agentId)).toEqual(["python OPEN"]);
  });

  test("leaves it closed when the registry takes as little", async () => {
    await using lenient = await openRegistry({ url: database.url, calibrationLeastPpm: 0n });
    const agentId = await anAgent();
    const late = { ...anOutcome(agentId).outcome, actualLatency: { seconds: 1_000n } };

    await lenient.auction.recordOutcome(anOutcome(agentId, { outcome: late }));
    const { after } = await lenient.auction.recordOutcome(anOutcome(agentId, { outcome: late }));

    expect(after?.calibration).toBeLessThan(0.5);
    expect(await breakersOf(agentId, lenient.operator)).toEqual([]);
  });

  test("goes on while the store of breakers is away", async () => {
    const agentId = await anAgent();
    const memory = createMemoryBreakers({ now: clock.now });
    const away = { ...memory, change: () => Promise.reject(new Error("away")) };
    await using alone = await openRegistry({ url: database.url, breakers: away });

    const { after } = await alone.auction.recordOutcome(anOutcome(agentId));

    expect(after?.failedTasks).toBe(1n);
  });
});

describe("TakeProbe", () => {
  test("grants 3 calls once the back-off is over, and 3 successes close the breaker", async () => {
    const agentId = await anAgent();
    const router = registry.as("service:router");
    await router.reportCalls(reports(agentId, 5));
    const probe = () => router.takeProbe({ agentId, capability: "Python" });

    const early = await probe();
    clock.forward(BACKOFF_MS);
    const probes = [await probe(), await probe(), await probe(), await probe()];
    await router.reportCalls(reports(agentId, 3, CallResult.SUCCESS));

    expect(early).toMatchObject({ granted: false, breaker: { state: BreakerState.OPEN } });
    expect(probes.map(({ granted }) => granted)).toEqual([true, true, true, false]);
    expect(probes[0]?.breaker?.state).toBe(BreakerState.HALF_OPEN);
    expect(await probe()).toMatchObject({
      granted: true,
      breaker: { state: BreakerState.CLOSED },
    });
    expect(await breakersOf(agentId)).toEqual([]);
  });

  test.each(["agent:someone", "auditor"])("is refused to %s", async (who) => {
    const call = registry.as(who).takeProbe({ agentId: "a", capability: "b" });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("ListBreakers", () => {
  test("tells of those that are not closed, by agent and capability, page by page", async () => {
    await using alone = await openRegistry({ url: database.url, now: clock.now });
    const agentIds = [await anAgent(), await anAgent()].sort();
    for (const agentId of [...agentIds].reverse()) {
      await alone.operator.reportCalls(reports(agentId, 5));
    }
    const go = { agentId: agentIds[0] ?? "", capability: "go", result: CallResult.TIMEOUT };
    await alone.operator.reportCalls({ reports: Array.from({ length: 5 }, () => go) });
    const list = async (request: Parameters<typeof alone.operator.listBreakers>[0]) => {
      const page = await alone.as("auditor").listBreakers(request);
      return { ...page, names: page.breakers.map((one) => [one.agentId, one.breaker?.capability]) };
    };

    const first = await list({ pageSize: 2 });
    const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
    const named = await list({ agentId: agentIds[1] ?? "", capability: " PYTHON " });
    const trying = await list({ state: BreakerState.HALF_OPEN });
    clock.forward(BACKOFF_MS);
    const later = await list({ state: BreakerState.HALF_OPEN });

    expect([first.names, second.names]).toEqual([
      [
        [agentIds[0], "go"],
        [agentIds[0], "python"],
      ],
      [[agentIds[1], "python"]],
    ]);
    expect(first.breakers[0]?.breaker).toMatchObject({ state: BreakerState.OPEN, successes: 0 });
    expect([first.totalSize, second.totalSize, second.nextPageToken]).toEqual([3n, 3n, ""]);
    expect(named.names).toEqual([[agentIds[1], "python"]]);
    expect([trying.totalSize, later.totalSize]).toEqual([0n, 3n]);
  });

  test("refuses a token of another filter, and to list those that are closed", async () => {
    await registry.operator.reportCalls(reports(await anAgent(), 5));
    await registry.operator.reportCalls(reports(await anAgent(), 5));
    const { nextPageToken: pageToken } = await registry.operator.listBreakers({ pageSize: 1 });
    const other = registry.operator.listBreakers({ pageToken, capability: "go" });
    const closed = registry.operator.listBreakers({ state: BreakerState.CLOSED });

    expect(await refused(other)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
    expect(await refused(closed)).toMatchObject({ reason: "INVALID_REQUEST" });
  });
});

describe("ResetBreaker", () => {
  test("closes one, or all, and says which were not closed", async () => {
    const agentId = await anAgent();
    const both = ["python", "go"].flatMap((capability) =>
      Array.from({ length: 5 }, () => ({ agentId, capability, result: CallResult.FAILURE })),
    );
    await registry.operator.reportCalls({ reports: both });

    const one = await registry.operator.resetBreaker({ agentId, capability: " GO " });
    const all = await registry.operator.resetBreaker({ agentId });

    expect(one.breakers.map(({ capability }) => capability)).toEqual(["go"]);
    expect(all.breakers.map(({ capability }) => capability)).toEqual(["python"]);
    expect(await breakersOf(agentId)).toEqual([]);
  });

  test("of nobody is refused with AGENT_NOT_FOUND", async () => {
    const call = registry.operator.resetBreaker({ agentId: anId() });

    expect(await refused(call)).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });
});

test("watchers hear within a second that a breaker opens, becomes half open and closes", async () => {
  const agentId = await anAgent();
  await using watcher = aWatcher(registry.operator);
  await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
  const shown = () => watcher.latest(agentId)?.breakers.map(({ state }) => nameOf(state));

  await registry.operator.reportCalls(reports(agentId, 5));
  await vi.waitFor(() => expect(shown()).toEqual(["OPEN"]));
  clock.forward(BACKOFF_MS);
  await vi.waitFor(() => expect(shown()).toEqual(["HALF_OPEN"]));
  await registry.operator.resetBreaker({ agentId });

  await vi.waitFor(() => expect(shown()).toEqual([]));
});

test("a watcher that resumes hears of breakers that opened meanwhile", async () => {
  const agentId = await anAgent();
  let token = "";
  {
    await using first = aWatcher(registry.operator);
    await vi.waitFor(() => expect(first.isSynced()).toBe(true));
    token = first.token();
  }
  await registry.operator.reportCalls(reports(agentId, 5));

  await using second = aWatcher(registry.operator, token);

  await vi.waitFor(() => expect(second.latest(agentId)?.breakers).toHaveLength(1));
});
