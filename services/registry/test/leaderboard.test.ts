import { LeaderboardView } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import { encodePageToken } from "@bourse/rpc/page";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { createPostgresStore } from "../src/postgres.ts";
import { keepRanked } from "../src/ranker.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile, aWatcher } from "./registry.ts";

const DAY_MS = 86_400_000;
const clock = aClock();
const { registry } = await registryForFile({ now: clock.now });

/** An agent that did so well at a capability that nobody else has in other tests. */
async function anAgent(capability: string, successes: number, failures = 0): Promise<string> {
  const agentId = anId();
  const profile = aProfile({ capabilities: [capability, "other"] });
  await registry.operator.registerAgent({ agentId, profile });
  for (let n = 0; n < successes; n++) await tell(agentId, capability, true);
  for (let n = 0; n < failures; n++) await tell(agentId, capability, false);
  return agentId;
}

async function tell(agentId: string, capability: string, success: boolean, seconds = 100n) {
  await registry.auction.recordOutcome({
    ...{ outcomeId: anId("outcome"), agentId, requesterId: anId("buyer"), capability },
    outcome: {
      success,
      estimatedLatency: { seconds: 100n },
      actualLatency: { seconds },
      price: { micros: 1n, currencyCode: "EUR" },
    },
    endTime: timestampFromDate(clock.now()),
  });
}

async function board(capability: string, view: LeaderboardView = LeaderboardView.UNSPECIFIED) {
  const { entries } = await registry.as("agent:a").listLeaderboard({ capability, view });
  return entries.map(({ agentId }) => agentId);
}

describe("ListLeaderboard", () => {
  test("ranks by reliability, and not by how often an agent worked", async () => {
    const capability = anId("cap");
    const sure = await anAgent(capability, 6);
    const often = await anAgent(capability, 8, 8);
    const once = await anAgent(capability, 1);
    const bad = await anAgent(capability, 0, 3);
    await anAgent(capability, 0);

    const { entries } = await registry.operator.listLeaderboard({ capability });

    expect(entries.map(({ agentId }) => agentId)).toEqual([sure, often, once, bad]);
    expect(entries.map(({ rank }) => rank)).toEqual([1, 2, 3, 4]);
    const [first] = entries;
    expect(first?.value).toBe(first?.reputation?.reliabilities[0]?.lowerBound);
  });

  test.each`
    view                           | best
    ${LeaderboardView.SCORE}       | ${"often"}
    ${LeaderboardView.CALIBRATION} | ${"exact"}
    ${LeaderboardView.MULTIPLIER}  | ${"always"}
  `("ranks by view $view, then by reliability", async ({ view, best }) => {
    const capability = anId("cap");
    const often = await anAgent(capability, 5, 1);
    await registry.operator.adjustReputation({ agentId: often, delta: 1, reason: "x" });
    const always = await anAgent(capability, 3);
    await tell(always, capability, true, 90n);
    const exact = await anAgent(capability, 2);
    const agents = { often, always, exact };

    const places = await board(capability, view);

    expect(places[0]).toBe(agents[best as keyof typeof agents]);
    expect(places).toHaveLength(3);
  });

  test("leaves out who left, or does not offer the capability any more, until it is back", async () => {
    const capability = anId("cap");
    const [gone, moved] = [await anAgent(capability, 1), await anAgent(capability, 2)];
    const profile = aProfile({ capabilities: ["other"] });
    await registry.operator.unregisterAgent({ agentId: gone });
    await registry.operator.registerAgent({ agentId: moved, profile, replaceExisting: true });
    const without = await board(capability);

    const back = aProfile({ capabilities: [capability] });
    await registry.operator.registerAgent({ agentId: gone, profile: back });

    expect(without).toEqual([]);
    expect(await board(capability)).toEqual([gone]);
  });

  test("leaves out who was erased", async () => {
    const capability = anId("cap");
    const agentId = await anAgent(capability, 1);

    await registry.operator.eraseAgent({ agentId });

    expect(await board(capability)).toEqual([]);
  });

  test("pages through ties in the order of ids, each agent once", async () => {
    const capability = anId("cap");
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await anAgent(capability, 1));
    for (const view of [LeaderboardView.RELIABILITY, LeaderboardView.SCORE]) {
      const read: string[] = [];
      const ranks: number[] = [];
      let pageToken = "";
      do {
        const request = { capability, view, pageSize: 2, pageToken };
        const page = await registry.operator.listLeaderboard(request);
        read.push(...page.entries.map(({ agentId }) => agentId));
        ranks.push(...page.entries.map(({ rank }) => rank));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");

      expect(read.toSorted()).toEqual(ids.toSorted());
      expect(ranks).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test("ranks over all capabilities when none is named", async () => {
    const agentId = await anAgent(anId("cap"), 3);

    expect(await board("")).toContain(agentId);
  });

  test.each([
    ["of another board", encodePageToken({ view: "SCORE", capability: "x" }, ["1", "2", "3", "a"])],
    [
      "that is forged",
      encodePageToken({ view: "RELIABILITY", capability: "" }, ["1", "x", "3", "a"]),
    ],
  ])("refuses a token %s with INVALID_PAGE_TOKEN", async (_what, pageToken) => {
    const call = registry.operator.listLeaderboard({ pageToken });

    expect(await refused(call)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });
});

test("places are reckoned anew once they are a day old, and those that are missing at once", async () => {
  const capability = anId("cap");
  const [agentId, missing] = [await anAgent(capability, 4), await anAgent(capability, 2)];
  await registry.pool.query("delete from standings where agent_id = $1", [missing]);
  const read = async () => (await registry.operator.listLeaderboard({ capability })).entries;
  const [before] = await read();
  clock.forward(30 * DAY_MS);
  const store = createPostgresStore(registry.pool);

  await using _ranked = keepRanked({ store, now: clock.now });

  await expect.poll(read).toHaveLength(2);
  await expect.poll(async () => (await read())[0]?.value).toBeLessThan(before?.value ?? 0);
  const [after] = await read();
  expect(after?.agentId).toBe(agentId);
  expect(after?.value).toBeCloseTo(after?.reputation?.reliabilities[0]?.lowerBound ?? 0, 4);
});

test("watchers hear once a day how the evidence of agents that do nothing has faded", async () => {
  const [worked, idle] = [await anAgent(anId("cap"), 4), await anAgent(anId("cap"), 0)];
  await using watcher = aWatcher(registry.operator);
  await expect.poll(() => watcher.isSynced()).toBe(true);
  const told = (agentId: string) =>
    watcher.agents().filter((agent) => agent.agentId === agentId && agent.reputation);
  const bound = () => told(worked).at(-1)?.reputation?.reliabilities[0]?.lowerBound ?? 0;
  const [before, etag] = [bound(), watcher.latest(worked)?.etag];
  clock.forward(30 * DAY_MS);
  const store = createPostgresStore(registry.pool);

  await using _ranked = keepRanked({ store, now: clock.now });

  await expect.poll(bound).toBeLessThan(before);
  expect(watcher.latest(worked)?.etag).toBe(etag);
  expect(told(idle)).toHaveLength(1);
});
