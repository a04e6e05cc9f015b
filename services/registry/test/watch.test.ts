import { randomUUID } from "node:crypto";
import { type Agent, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createMemoryAvailability } from "../src/memory.ts";
import { refused } from "./refused.ts";
import {
  aClock,
  aDatabase,
  anId,
  aProfile,
  aWatcher,
  openRegistry,
  type Registry,
  redisAvailability,
} from "./registry.ts";

const { ONLINE, BUSY, OFFLINE } = AvailabilityState;
const REDIS_URL = process.env["REDIS_URL"] ?? "";

let database: Awaited<ReturnType<typeof aDatabase>>;

beforeAll(async () => {
  database = await aDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await using registry = await openRegistry({ url: database.url });
  await registry.pool.query("truncate agents cascade");
});

async function anAgent(registry: Registry, lease?: { seconds: bigint }): Promise<string> {
  const agentId = anId();
  const profile = aProfile({ maxConcurrent: 2 });
  await registry.registerAgent({ agentId, profile, ...(lease && { lease }) });
  return agentId;
}

describe("WatchAgents", () => {
  test("streams every registered agent, then synced, then each change", async () => {
    await using registry = await openRegistry({ url: database.url });
    const [a, b] = [await anAgent(registry.operator), await anAgent(registry.operator)];

    await using watcher = aWatcher(registry.as("service:discovery"));
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    const snapshot = watcher.agents().map((agent) => agent.agentId);
    await registry.operator.updateAgent({
      agentId: a,
      profile: { description: "new" },
      updateMask: { paths: ["description"] },
    });
    await registry.operator.unregisterAgent({ agentId: b });

    await vi.waitFor(() => expect(watcher.latest(b)?.unregisterTime).toBeDefined());
    expect(snapshot.sort()).toEqual([a, b].sort());
    expect(watcher.latest(a)?.profile?.description).toBe("new");
    const { agent } = await registry.operator.getAgent({ agentId: a });
    expect(watcher.latest(a)).toEqual(agent);
  });

  test("leaves old tombstones out of a snapshot", async () => {
    const clock = aClock();
    await using registry = await openRegistry({ url: database.url, now: clock.now });
    const agentId = await anAgent(registry.operator);
    await registry.operator.unregisterAgent({ agentId });

    clock.forward(120_000);
    await using watcher = aWatcher(registry.operator);

    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    expect(watcher.agents()).toEqual([]);
  });

  test("resumed, tells what changed since, tombstones included, also after a restart", async () => {
    const [kept, changed, gone] = [anId(), anId(), anId()];
    let resumeToken = "";
    {
      await using registry = await openRegistry({ url: database.url });
      for (const agentId of [kept, changed, gone]) {
        await registry.operator.registerAgent({ agentId, profile: aProfile() });
      }
      await using watcher = aWatcher(registry.operator);
      await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
      resumeToken = watcher.token();
      await registry.operator.adjustReputation({ agentId: changed, delta: 1, reason: "x" });
      await registry.operator.unregisterAgent({ agentId: gone });
    }

    await using restarted = await openRegistry({ url: database.url });
    await using watcher = aWatcher(restarted.operator, resumeToken);

    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    const told = watcher.agents().map((agent) => agent.agentId);
    // It may repeat `kept`: tokens stand at the oldest transaction of the whole server.
    expect(told).toEqual(expect.arrayContaining([changed, gone]));
    expect(watcher.latest(gone)?.unregisterTime).toBeDefined();
  });

  test.each(["nonsense", "abc-1-5.12.1795225053257", "x.1", ".", "1.2.3"])(
    "refuses the token '%s' with INVALID_RESUME_TOKEN",
    async (resumeToken) => {
      await using registry = await openRegistry({ url: database.url });
      await using watcher = aWatcher(registry.operator, resumeToken);

      const error = await watcher.over;

      expect(await refused(Promise.reject(error))).toMatchObject({
        reason: "INVALID_RESUME_TOKEN",
        code: "InvalidArgument",
      });
    },
  );

  test("refuses a token that is older than a day", async () => {
    const clock = aClock();
    await using registry = await openRegistry({ url: database.url, now: clock.now });
    await using first = aWatcher(registry.operator);
    await vi.waitFor(() => expect(first.isSynced()).toBe(true));

    clock.forward(86_400_000);
    await using second = aWatcher(registry.operator, first.token());

    expect(reasonOf(await second.over)).toBe("INVALID_RESUME_TOKEN");
  });
});

describe("WatchAgents, asked for agents together,", () => {
  const description = "x".repeat(3_000);

  async function manyAgents(registry: Registry): Promise<string[]> {
    const ids = Array.from({ length: 600 }, () => anId());
    const requests = ids.map((agentId) => ({ agentId, profile: aProfile({ description }) }));
    await registry.batchRegisterAgents({ requests });
    return ids;
  }

  test("tells the same in the same order as of each by itself, whoever resumes the other", async () => {
    const clock = aClock();
    await using registry = await openRegistry({ url: database.url, now: clock.now });
    const ids = await manyAgents(registry.operator);
    const open = (token: string, together: boolean) =>
      aWatcher(registry.operator, token, { together });
    await using single = open("", false);
    await using paged = open("", true);
    await vi.waitFor(() => expect(single.isSynced()).toBe(true));
    await vi.waitFor(() => expect(paged.isSynced()).toBe(true));
    const snapshots = [single.snapshot(), paged.snapshot()];
    const tokens = [single.token(), paged.token()];

    for (const agentId of ids.slice(0, 9)) await registry.operator.unregisterAgent({ agentId });
    await using singleAfterPaged = open(tokens[1] ?? "", false);
    await using pagedAfterSingle = open(tokens[0] ?? "", true);

    expect(snapshots[1]).toEqual(snapshots[0]);
    expect(new Set(snapshots[1]?.map((agent) => agent.agentId))).toEqual(new Set(ids));
    for (const watcher of [single, paged, singleAfterPaged, pagedAfterSingle]) {
      await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
      for (const agentId of ids.slice(0, 9)) {
        const gone = () => expect(watcher.latest(agentId)?.unregisterTime).toBeDefined();
        await vi.waitFor(gone);
      }
    }
  });

  test("sends pages of 64 KiB and an agent at most, and no agent alone", async () => {
    await using registry = await openRegistry({ url: database.url });
    const [first = ""] = await manyAgents(registry.operator);

    await using watcher = aWatcher(registry.operator, "", { together: true });
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    const snapshot = watcher.messages.filter(({ event }) => event.case !== "synced");
    await registry.operator.unregisterAgent({ agentId: first });
    await vi.waitFor(() => expect(watcher.latest(first)?.unregisterTime).toBeDefined());

    const pages = watcher.messages.flatMap(({ event }) =>
      event.case === "agents" ? [event.value.agents] : [],
    );
    const most = Math.ceil((64 * 1_024) / description.length);
    expect(pages.every(({ length }) => length > 0 && length <= most)).toBe(true);
    expect(pages.length).toBeLessThan(60);
    expect(snapshot.every(({ resumeToken }) => resumeToken === "")).toBe(true);
    expect(watcher.messages.some(({ event }) => event.case === "agent")).toBe(false);
    expect(watcher.messages.at(-1)?.resumeToken).not.toBe("");
  });

  test("sends each alone to a watcher that did not ask", async () => {
    await using registry = await openRegistry({ url: database.url });
    await anAgent(registry.operator);

    await using watcher = aWatcher(registry.operator);
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));

    expect(watcher.messages.map(({ event }) => event.case)).toEqual(["agent", "synced"]);
  });
});

describe("WatchAgents and availability", () => {
  test("tells of tasks under way, of a lapse and of a return, each with a token", async () => {
    const clock = aClock();
    await using registry = await openRegistry({ url: database.url, now: clock.now });
    const agentId = await anAgent(registry.operator, { seconds: 60n });
    await using watcher = aWatcher(registry.operator);
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    const state = () => watcher.latest(agentId)?.availability?.state;
    expect(state()).toBe(ONLINE);

    await registry.operator.heartbeat({ agentId, inFlight: 2 });
    await vi.waitFor(() => expect(state()).toBe(BUSY));
    clock.forward(61_000);
    await vi.waitFor(() => expect(state()).toBe(OFFLINE));
    await registry.operator.heartbeat({ agentId, inFlight: 0 });

    await vi.waitFor(() => expect(state()).toBe(ONLINE));
    expect(watcher.messages.at(-1)?.resumeToken).not.toBe("");
  });

  test("gives tokens of the time until which availability was told", async () => {
    const memory = createMemoryAvailability({ now: () => new Date() });
    const told = new Date(Date.now() - 3_600_000);
    const availability = { ...memory, toldUntil: () => told };
    await using registry = await openRegistry({ url: database.url, availability });

    await using watcher = aWatcher(registry.operator);

    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));
    expect(watcher.token().split(".").at(-1)).toBe(String(told.getTime()));
  });

  test("tells who resumes what lapsed meanwhile", async () => {
    const clock = aClock();
    await using registry = await openRegistry({ url: database.url, now: clock.now });
    const agentId = await anAgent(registry.operator, { seconds: 60n });
    await using first = aWatcher(registry.operator);
    await vi.waitFor(() => expect(first.isSynced()).toBe(true));
    const resumeToken = first.token();
    await first[Symbol.asyncDispose]();

    clock.forward(61_000);
    await using second = aWatcher(registry.operator, resumeToken);

    await vi.waitFor(() => expect(second.isSynced()).toBe(true));
    expect(second.latest(agentId)?.availability?.state).toBe(OFFLINE);
  });

  test("tells who resumes at a replica that lost its leases", async () => {
    let resumeToken = "";
    let agentId = "";
    {
      await using registry = await openRegistry({ url: database.url });
      agentId = await anAgent(registry.operator, { seconds: 60n });
      await using first = aWatcher(registry.operator);
      await vi.waitFor(() => expect(first.isSynced()).toBe(true));
      resumeToken = first.token();
    }

    await using restarted = await openRegistry({ url: database.url });
    await using second = aWatcher(restarted.operator, resumeToken);

    await vi.waitFor(() => expect(second.isSynced()).toBe(true));
    expect(second.latest(agentId)?.availability?.state).toBe(OFFLINE);
  });

  test.skipIf(REDIS_URL === "")("tells of what was heard by another replica", async () => {
    const prefix = `test-${randomUUID()}`;
    const now = () => new Date();
    const open = async () =>
      openRegistry({
        url: database.url,
        availability: await redisAvailability({ url: REDIS_URL, now, prefix }),
      });
    await using here = await open();
    await using there = await open();
    const agentId = await anAgent(here.operator, { seconds: 60n });
    await using watcher = aWatcher(there.operator);
    await vi.waitFor(() => expect(watcher.isSynced()).toBe(true));

    await here.operator.heartbeat({ agentId, inFlight: 2 });

    const state = () => watcher.latest(agentId)?.availability?.state;
    await vi.waitFor(() => expect(state()).toBe(BUSY));
  });
});

describe("with two replicas and many writers", () => {
  test("a watcher ends with the last state of every agent and never goes back", async () => {
    await using one = await openRegistry({ url: database.url });
    await using two = await openRegistry({ url: database.url });
    const replicas = [one.operator, two.operator];
    const ids = Array.from({ length: 8 }, () => anId());
    await one.operator.batchRegisterAgents({
      requests: ids.map((agentId) => ({ agentId, profile: aProfile() })),
    });
    await using whole = aWatcher(two.operator);
    await vi.waitFor(() => expect(whole.isSynced()).toBe(true));

    const writing = Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        const registry = replicas[writer % 2] as Registry;
        for (let turn = 0; turn < 15; turn++) {
          await write(registry, ids[(writer * 5 + turn * 3) % 8] as string, writer + turn);
        }
      }),
    );
    await vi.waitFor(() => expect(whole.agents().length).toBeGreaterThan(40));
    const [resumeToken, heard] = [whole.token(), [...whole.agents()]];
    await writing;
    await using resumed = aWatcher(one.operator, resumeToken);

    const truth = await versions(one.operator, ids);
    await vi.waitFor(() => expect(latest(whole.agents())).toEqual(truth));
    await vi.waitFor(() => expect(latest([...heard, ...resumed.agents()])).toEqual(truth));
    expect(goesBack(whole.agents())).toBe(false);
  });
});

describe("with two replicas over one Postgres and one Redis", () => {
  test.skipIf(REDIS_URL === "")(
    "a reader that moves from one to the other sees each agent's changes in order, to the last",
    async () => {
      const options = { url: REDIS_URL, now: () => new Date(), prefix: `registry-${randomUUID()}` };
      const open = async () =>
        openRegistry({ url: database.url, availability: await redisAvailability(options) });
      await using one = await open();
      await using two = await open();
      const replicas = [one.operator, two.operator];
      const ids = Array.from({ length: 12 }, () => anId());
      const profile = aProfile({ maxConcurrent: 1_000 });
      const lease = { seconds: 60n };
      await one.operator.batchRegisterAgents({
        requests: ids.map((agentId) => ({ agentId, profile, lease })),
      });
      let first: ReturnType<typeof aWatcher> | undefined = aWatcher(one.operator);
      await using stack = new AsyncDisposableStack();
      stack.defer(() => first?.[Symbol.asyncDispose]());

      // Each agent's changes follow each other, through one replica and the other.
      const turns = 30;
      const writing = Promise.all(
        ids.map(async (agentId, nth) => {
          for (let turn = 1; turn <= turns; turn++) {
            const registry = replicas[(nth + turn) % 2] as Registry;
            await registry.heartbeat({ agentId, inFlight: turn });
            const description = String(turn);
            const updateMask = { paths: ["description"] };
            await registry.updateAgent({ agentId, profile: { description }, updateMask });
          }
        }),
      );
      await vi.waitFor(() => expect(first?.agents().length).toBeGreaterThan(60));
      const [token, before] = [first.token(), [...first.agents()]];
      await first[Symbol.asyncDispose]();
      first = undefined;
      const second = stack.use(aWatcher(two.operator, token));
      await writing;

      const seen = () => [...before, ...second.agents()];
      const last = (agentId: string) => seen().findLast((agent) => agent.agentId === agentId);
      await vi.waitFor(() => {
        for (const agentId of ids) {
          expect(last(agentId)?.profile?.description).toBe(String(turns));
          expect(last(agentId)?.availability?.inFlight).toBe(turns);
        }
      });
      expect(goesBack(before)).toBe(false);
      expect(goesBack(second.agents())).toBe(false);
      expect(goesBack(second.agents(), (agent) => agent.availability?.inFlight ?? 0)).toBe(false);
    },
  );
});

async function write(registry: Registry, agentId: string, turn: number): Promise<void> {
  if (turn % 3 === 0) await registry.heartbeat({ agentId, inFlight: turn % 5 });
  else if (turn % 3 === 1) await registry.adjustReputation({ agentId, delta: 0.1, reason: "x" });
  else await registry.registerAgent({ agentId, profile: aProfile(), replaceExisting: true });
}

async function versions(registry: Registry, agentIds: string[]): Promise<Record<string, string>> {
  return latest((await registry.batchGetAgents({ agentIds })).agents);
}

function latest(agents: readonly Agent[]): Record<string, string> {
  return Object.fromEntries(agents.map((agent) => [agent.agentId, agent.etag]));
}

function goesBack(
  agents: readonly Agent[],
  of: (agent: Agent) => number = ({ etag }) => Number(etag),
): boolean {
  const seen = new Map<string, number>();
  return agents.some((agent) => {
    const version = of(agent);
    const isOlder = version < (seen.get(agent.agentId) ?? 0);
    seen.set(agent.agentId, version);
    return isOlder;
  });
}
