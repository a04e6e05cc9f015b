import { startRelay } from "@bourse/postgres";
import type { Erasure } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { deliverErasure, ERASE, type Erase } from "../src/eraser.ts";
import { hasMissed } from "../src/erasure.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { createMemoryBreakers } from "../src/memory-breakers.ts";
import { eraseHere } from "../src/relay.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { anId, aProfile, aWatcher } from "./registry.ts";

const { registry } = await registryForFile();

const NAME = "Ada Lovelace";

/** An agent that has said things of itself, worked, and been judged. */
async function anAgentWithAPast(): Promise<string> {
  const agentId = anId("subject");
  await registry.as(`agent:${agentId}`).registerAgent({
    requestId: "own",
    agentId,
    profile: aProfile({
      displayName: NAME,
      description: `${NAME} sums up texts`,
      endpoint: { uri: "grpc://ada.example:443", protocol: "grpc" },
      pricing: { costPerTask: { micros: 1n, currencyCode: "EUR" }, billingNotes: NAME },
      metadata: { person: NAME },
    }),
  });
  await registry.operator.adjustReputation({
    requestId: `by-${agentId}`,
    agentId,
    delta: 1,
    reason: NAME,
  });
  await registry.auction.recordOutcome(anOutcome(agentId, "buyer"));
  return agentId;
}

function anOutcome(agentId: string, requesterId: string) {
  return {
    outcomeId: anId("outcome"),
    agentId,
    requesterId,
    capability: "python",
    outcome: {
      success: true,
      estimatedLatency: { seconds: 60n },
      actualLatency: { seconds: 60n },
      price: { micros: 1n, currencyCode: "EUR" },
    },
    endTime: { seconds: 1_800_000_000n },
  };
}

/** The relay of a registry whose lineage goes nowhere, and whose auction erases as told. */
function aRelay(auction: Erase) {
  const { pool } = registry;
  const availability = createMemoryAvailability({ now: () => new Date() });
  const breakers = createMemoryBreakers({ now: () => new Date() });
  const erase = deliverErasure({
    pool,
    now: () => new Date(),
    services: {
      auction,
      ledger: async () => {},
      registry: eraseHere({ pool, availability, breakers }),
    },
    onComplete: () => {},
  });
  const relay = startRelay({
    pool,
    pollMs: 20,
    random: () => 0,
    deliver: async (message) => (message.kind === ERASE ? erase(message) : undefined),
  });
  return {
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await availability[Symbol.asyncDispose]();
    },
  };
}

async function completed(erasureId: string): Promise<Erasure | undefined> {
  const read = async () => (await registry.operator.getErasure({ erasureId })).erasure;
  await expect.poll(async () => (await read())?.completeTime).toBeDefined();
  return read();
}

/** Every row of every table of the registry as one text, bytes as they are. */
async function dump(): Promise<string> {
  const { rows: tables } = await registry.pool.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'registry'",
  );
  let text = "";
  for (const { name } of tables) {
    const { rows } = await registry.pool.query<Record<string, unknown>>(`select * from ${name}`);
    for (const value of rows.flatMap((row) => Object.values(row))) {
      text += Buffer.isBuffer(value) ? value.toString("latin1") : JSON.stringify(value);
    }
  }
  return text;
}

describe("EraseAgent", () => {
  test("takes the agent off the market and its texts away at once", async () => {
    const agentId = await anAgentWithAPast();

    const { erasure } = await registry.operator.eraseAgent({ agentId });
    const { agent } = await registry.operator.getAgent({ agentId, includeUnregistered: true });

    expect(erasure?.alias).toMatch(/^erased-[0-9a-f]{24}$/);
    expect(erasure?.completeTime).toBeUndefined();
    expect(erasure?.steps.map((step) => step.service)).toEqual(["auction", "ledger", "registry"]);
    expect(agent?.unregisterTime).toBeDefined();
    expect(agent?.profile?.capabilities).toEqual([]);
    expect(await dump()).not.toContain(NAME);
  });

  test("leaves an alias with the reputation, and the id nowhere, when all services are done", async () => {
    const agentId = await anAgentWithAPast();
    const colleague = anId();
    await registry.operator.registerAgent({ agentId: colleague, profile: aProfile() });
    await registry.auction.recordOutcome(anOutcome(colleague, agentId));
    const before = await dump();
    await using _relay = aRelay(async () => {});

    const { erasure } = await registry.operator.eraseAgent({ requestId: `of-${agentId}`, agentId });
    await completed(erasure?.erasureId ?? "");

    const alias = erasure?.alias ?? "";
    const { agent } = await registry.operator.getAgent({
      agentId: alias,
      includeUnregistered: true,
    });
    expect(agent?.reputation).toMatchObject({ score: 2, completedTasks: 1n });
    const { rows } = await registry.pool.query("select * from outcomes where requester_id = $1", [
      alias,
    ]);
    expect(rows).toMatchObject([{ agent_id: colleague }]);
    expect(before).toContain(agentId);
    await expect.poll(dump).not.toContain(agentId);
  });

  test("asks a service that cannot erase yet again, and tells why, without the agent's id", async () => {
    const agentId = await anAgentWithAPast();
    let isReady = false;
    await using _relay = aRelay(async (order) => {
      if (isReady) return;
      throw new ConnectError("busy", Code.FailedPrecondition, { "x-agent": order.agentId });
    });

    const { erasure } = await registry.operator.eraseAgent({ agentId });
    const erasureId = erasure?.erasureId ?? "";
    const firstStep = async () =>
      (await registry.operator.getErasure({ erasureId })).erasure?.steps[0];
    await expect.poll(async () => (await firstStep())?.reason).toBe("FAILEDPRECONDITION");
    const { erasures: pending } = await registry.operator.listErasures({ pendingOnly: true });
    isReady = true;
    const done = await completed(erasureId);

    expect(pending.map((one) => one.erasureId)).toContain(erasureId);
    expect(done?.steps).toMatchObject([{ reason: "" }, { reason: "" }, { reason: "" }]);
  });

  test("waits for one call however long it takes", async () => {
    const agentId = await anAgentWithAPast();
    const working = Promise.withResolvers<void>();
    let calls = 0;
    const { erasure } = await registry.operator.eraseAgent({ agentId });
    const deliver = deliverErasure({
      pool: registry.pool,
      now: () => new Date(),
      services: {
        auction: () => {
          calls += 1;
          return working.promise;
        },
        ledger: undefined,
        registry: undefined,
      },
      onComplete: () => {},
    });
    const { erasureId = "", alias = "" } = erasure ?? {};
    const payload = { erasureId, agentId, alias, service: "auction" };
    const message = { id: "erase/auction", kind: ERASE, key: agentId, payload };

    const deliveries = [deliver(message), deliver(message)];
    working.resolve();
    await Promise.all(deliveries);

    expect(calls).toBe(1);
  });

  test("is answered with the erasure under way, and with the same for the same request", async () => {
    const agentId = await anAgentWithAPast();
    const requestId = anId("request");

    const first = await registry.operator.eraseAgent({ requestId, agentId });
    const again = await registry.operator.eraseAgent({ requestId, agentId });
    const other = await registry.operator.eraseAgent({ agentId });

    expect(again).toEqual(first);
    expect(other).toEqual(first);
  });

  test("also of one that never registered, whose id is then taken for good", async () => {
    const agentId = anId("requester");
    await using _relay = aRelay(async () => {});

    const { erasure } = await registry.operator.eraseAgent({ agentId });
    await completed(erasure?.erasureId ?? "");

    const call = registry.operator.registerAgent({ agentId, profile: aProfile() });
    expect(await refused(call)).toMatchObject({ reason: "AGENT_ERASED", fields: ["agent_id"] });
  });

  test("lets nobody register the id or the alias again, alone or in a batch, before or afterwards", async () => {
    const agentId = await anAgentWithAPast();
    const registration = (id: string) => ({
      agentId: id,
      profile: aProfile(),
      replaceExisting: true,
    });
    const tries = async (id: string) => [
      await refused(registry.operator.registerAgent(registration(id))),
      await refused(registry.operator.registerAgent({ ...registration(id), validateOnly: true })),
      await refused(
        registry.operator.batchRegisterAgents({
          requests: [registration(anId()), registration(id)],
        }),
      ),
    ];

    const { erasure } = await registry.operator.eraseAgent({ agentId });
    const before = await tries(agentId);
    await using _relay = aRelay(async () => {});
    await completed(erasure?.erasureId ?? "");
    const afterwards = [...(await tries(agentId)), ...(await tries(erasure?.alias ?? ""))];

    expect(new Set([...before, ...afterwards].map(({ reason }) => reason))).toEqual(
      new Set(["AGENT_ERASED"]),
    );
    expect(before[2]?.fields).toEqual(["requests[1].agent_id"]);
  });

  test("is listed with the others, the newest first, on pages that neither repeat nor skip", async () => {
    const ids: string[] = [];
    for (let nth = 0; nth < 5; nth++) {
      const { erasure } = await registry.operator.eraseAgent({ agentId: anId() });
      ids.unshift(erasure?.erasureId ?? "");
    }

    const listed: string[] = [];
    for (let pageToken = ""; listed.length < ids.length; ) {
      const page = await registry.as("auditor").listErasures({ pageSize: 2, pageToken });
      listed.push(...page.erasures.map((one) => one.erasureId));
      pageToken = page.nextPageToken;
    }
    const unknown = registry.operator.getErasure({ erasureId: crypto.randomUUID() });

    expect(listed.slice(0, ids.length)).toEqual(ids);
    expect(await refused(unknown)).toMatchObject({ reason: "ERASURE_NOT_FOUND" });
  });

  test.each(["agent:someone", "service:auction", "auditor"])("is not for %s", async (principal) => {
    const call = registry.as(principal).eraseAgent({ agentId: anId() });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("a watcher of the agents", () => {
  test("that was away while one was erased must begin anew, any other goes on", async () => {
    const agentId = await anAgentWithAPast();
    await using early = aWatcher(registry.operator);
    await expect.poll(early.isSynced).toBe(true);
    const token = early.token();
    await using _relay = aRelay(async () => {});

    const { erasure } = await registry.operator.eraseAgent({ agentId });
    await completed(erasure?.erasureId ?? "");
    await registry.operator.registerAgent({ agentId: anId(), profile: aProfile() });
    await using resumed = aWatcher(registry.operator, token);
    await using fresh = aWatcher(registry.operator);

    expect(await resumed.over).toMatchObject({ code: Code.InvalidArgument });
    await expect.poll(fresh.isSynced).toBe(true);
    expect(fresh.latest(agentId)).toBeUndefined();
    const newest = anId();
    await registry.operator.registerAgent({ agentId: newest, profile: aProfile() });
    await expect.poll(() => fresh.latest(newest)).toBeDefined();
  });

  test.each([
    ["has seen all that was taken away", { rows: 1n, changedIn: 9n }, 10n, undefined, false],
    ["stands before it", { rows: 1n, changedIn: 10n }, 10n, undefined, true],
    ["began after it was taken away", { rows: 1n, changedIn: 10n }, 10n, 1n, false],
    ["began before more was taken away", { rows: 2n, changedIn: 10n }, 10n, 1n, true],
    ["is in its first snapshot", { rows: 2n, changedIn: 10n }, 0n, 1n, false],
    ["lives where nothing was", { rows: 0n, changedIn: 0n }, 1n, undefined, false],
  ])("that %s", (_case, removals, from, known, missed) => {
    expect(hasMissed(removals, from, known)).toBe(missed);
  });
});
