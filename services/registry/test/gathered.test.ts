import { afterAll, describe, expect, test } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { anId, aProfile, aWatcher, openRegistry, type Registry } from "./registry.ts";

const { database, registry } = await registryForFile();
const replica = await openRegistry({ url: database.url });
afterAll(() => replica[Symbol.asyncDispose]());

async function anAgent(): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile: aProfile() });
  return agentId;
}

const describing = (agentId: string, description: string) => ({
  agentId,
  profile: { description },
  updateMask: { paths: ["description"] },
});

async function read(agentId: string) {
  return (await registry.operator.getAgent({ agentId, includeUnregistered: true })).agent;
}

async function eventsOf(agentId: string): Promise<readonly string[]> {
  const { rows } = await registry.pool.query<{ type: string }>(
    "select payload->>'type' as type from outbox where key = $1 order by position",
    [agentId],
  );
  return rows.map(({ type }) => type);
}

/** Holds an agent in a transaction until it is disposed. */
async function holding(agentId: string): Promise<AsyncDisposable> {
  const client = await registry.pool.connect();
  await client.query("begin");
  await client.query("select from agents where id = $1 for update", [agentId]);
  return {
    async [Symbol.asyncDispose]() {
      await client.query("commit");
      client.release();
    },
  };
}

describe("calls that come together", () => {
  test("each get what is theirs, and one that is refused harms no other", async () => {
    const agentIds = await Promise.all(Array.from({ length: 8 }, anAgent));
    const [first = ""] = agentIds;

    const [stale, nobody, invalid, ...agents] = await Promise.all([
      refused(registry.operator.updateAgent({ ...describing(first, "no"), etag: "9" })),
      refused(registry.operator.updateAgent(describing(anId("nobody"), "no"))),
      refused(
        registry.operator.updateAgent({
          agentId: first,
          profile: { capabilities: [] },
          updateMask: { paths: ["capabilities"] },
        }),
      ),
      ...agentIds.map((agentId) => registry.operator.updateAgent(describing(agentId, agentId))),
    ]);

    expect([stale.reason, nobody.reason, invalid.reason]).toEqual([
      "ETAG_MISMATCH",
      "AGENT_NOT_FOUND",
      "INVALID_PROFILE",
    ]);
    expect(agents.map(({ agent }) => agent?.profile?.description)).toEqual(agentIds);
    for (const agentId of agentIds) {
      expect((await read(agentId))?.profile?.description).toBe(agentId);
      expect(await eventsOf(agentId)).toEqual(["agent_registered", "agent_updated"]);
    }
  });

  test("each tell of the agent whose availability they are asked for", async () => {
    const agentIds = await Promise.all(Array.from({ length: 4 }, anAgent));
    const [replaced = "", ...changed] = agentIds;
    for (const [inFlight, agentId] of agentIds.entries()) {
      await registry.operator.heartbeat({ agentId, inFlight });
    }

    const told = await Promise.all([
      registry.operator.registerAgent({
        agentId: replaced,
        profile: aProfile(),
        replaceExisting: true,
      }),
      ...changed.map((agentId) => registry.operator.updateAgent(describing(agentId, "busy"))),
    ]);

    expect(told.map(({ agent }) => agent?.availability?.inFlight)).toEqual([0, 1, 2, 3]);
    for (const { agent } of told) {
      expect((await read(agent?.agentId ?? ""))?.availability).toEqual(agent?.availability);
    }
  });

  test("for one agent each count, whatever replica takes them", async () => {
    const agentId = await anAgent();
    const operators: Registry[] = [registry.operator, replica.operator];

    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, nth) =>
        (operators[nth % 2] as Registry).updateAgent(describing(agentId, `text ${nth}`)),
      ),
    );

    const etags = answers.map(({ agent }) => Number(agent?.etag)).sort((a, b) => a - b);
    expect(etags).toEqual(Array.from({ length: 40 }, (_, nth) => nth + 2));
    const last = answers.find(({ agent }) => agent?.etag === "41");
    expect(await read(agentId)).toEqual(last?.agent);
    expect(await eventsOf(agentId)).toHaveLength(41);
  });

  test("with one etag succeed once, whatever replica takes them", async () => {
    const agentId = await anAgent();
    const operators: Registry[] = [registry.operator, replica.operator];

    const ends = await Promise.allSettled(
      Array.from({ length: 10 }, (_, nth) =>
        (operators[nth % 2] as Registry).updateAgent({
          ...describing(agentId, `text ${nth}`),
          etag: "1",
        }),
      ),
    );

    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await read(agentId))?.etag).toBe("2");
  });

  test("under one request id are done once, whatever replica takes them", async () => {
    const agentId = await anAgent();
    const operators: Registry[] = [registry.operator, replica.operator];
    const requestId = anId("request");

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, nth) =>
        (operators[nth % 2] as Registry).updateAgent({
          ...describing(agentId, "once"),
          requestId,
        }),
      ),
    );

    expect(new Set(answers.map(({ agent }) => agent?.etag))).toEqual(new Set(["2"]));
    expect(await eventsOf(agentId)).toEqual(["agent_registered", "agent_updated"]);
  });

  test("to register one agent succeed once, whatever replica takes them", async () => {
    const agentId = anId();
    const operators: Registry[] = [registry.operator, replica.operator];

    const ends = await Promise.allSettled(
      Array.from({ length: 12 }, (_, nth) =>
        (operators[nth % 2] as Registry).registerAgent({ agentId, profile: aProfile() }),
      ),
    );

    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await eventsOf(agentId)).toEqual(["agent_registered"]);
    expect((await read(agentId))?.etag).toBe("1");
  });

  test("to register one agent under one request id are all answered the same", async () => {
    const operators: Registry[] = [registry.operator, replica.operator];
    const request = { agentId: anId(), profile: aProfile(), requestId: anId("request") };

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, nth) =>
        (operators[nth % 2] as Registry).registerAgent(request),
      ),
    );

    const [first] = answers;
    for (const answer of answers) expect(answer).toEqual(first);
    expect(await eventsOf(request.agentId)).toEqual(["agent_registered"]);
  });

  test("register, change and unregister an agent in the order of their answers", async () => {
    const agentId = anId();
    const operator = registry.operator;
    await using watcher = aWatcher(operator);
    await expect.poll(() => watcher.isSynced()).toBe(true);

    for (let round = 1; round <= 5; round++) {
      const ends = await Promise.allSettled([
        operator.registerAgent({ agentId, profile: aProfile() }),
        operator.updateAgent(describing(agentId, `round ${round}`)),
        operator.unregisterAgent({ agentId }),
      ]);
      if (ends[2]?.status === "rejected") await operator.unregisterAgent({ agentId });
    }

    const agent = await read(agentId);
    const changes = (await eventsOf(agentId)).length;
    expect(agent?.unregisterTime).toBeDefined();
    expect(agent?.etag).toBe(String(changes));
    await expect.poll(() => watcher.latest(agentId)?.etag).toBe(agent?.etag);
  });

  test("do not wait for an agent that somebody else holds", async () => {
    const [heldId, freeId] = [await anAgent(), await anAgent()];
    let answered = false;
    let waiting: Promise<unknown>;
    {
      await using _held = await holding(heldId);
      waiting = registry.operator.updateAgent(describing(heldId, "late")).then(() => {
        answered = true;
      });

      const { agent } = await registry.operator.updateAgent(describing(freeId, "soon"));

      expect(agent?.profile?.description).toBe("soon");
      expect(answered).toBe(false);
    }
    await waiting;
    expect((await read(heldId))?.profile?.description).toBe("late");
  });
});
