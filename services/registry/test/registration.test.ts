import {
  type AgentProfile,
  AgentProfileSchema,
  AvailabilityState,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create, toJson } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { anId, aProfile, aWatcher } from "./registry.ts";

const { ONLINE, OFFLINE, MAINTENANCE } = AvailabilityState;

const { registry } = await registryForFile();

async function count(table: "agents" | "outbox" | "requests"): Promise<number> {
  const { rows } = await registry.pool.query<{ n: string }>(`select count(*) n from ${table}`);
  return Number(rows[0]?.n);
}

describe("RegisterAgent", () => {
  test("stores the agent as it says it is, its capabilities normalised", async () => {
    const agentId = anId();

    const { agent } = await registry.operator.registerAgent({
      agentId,
      profile: {
        displayName: "Ada",
        capabilities: [" Python ", "OCR", "python"],
        sla: { p50Latency: { seconds: 1200n }, successRate: 0.98 },
        costModel: { base: { micros: 1_000_000n, currencyCode: "EUR" }, complexityMultiplier: 1.5 },
        pricing: { costPerTask: { micros: 2_500_000n, currencyCode: "EUR" }, billingNotes: "net" },
        metadata: { team: "blue" },
        maxConcurrent: 5,
      },
    });
    const { agent: read } = await registry.operator.getAgent({ agentId });

    expect(agent?.profile).toMatchObject({
      capabilities: ["ocr", "python"],
      sla: { p50Latency: { seconds: 1200n }, successRate: 0.98 },
      pricing: { billingNotes: "net" },
    });
    expect(agent?.availability).toMatchObject({
      state: ONLINE,
      declaredState: ONLINE,
      inFlight: 0,
    });
    expect(agent?.reputation).toMatchObject({ score: 0, calibration: 1, completedTasks: 0n });
    expect(agent?.etag).toBe("1");
    expect(read).toEqual(agent);
  });

  test("starts in the state it is given, with a lease when it asks for one", async () => {
    const { agent } = await registry.operator.registerAgent({
      agentId: anId(),
      profile: aProfile(),
      declaredState: MAINTENANCE,
      lease: { seconds: 60n },
    });

    expect(agent?.availability?.state).toBe(MAINTENANCE);
    expect(agent?.availability?.leaseExpireTime).toBeDefined();
  });

  test("refuses an id that is registered, and leaves it as it was", async () => {
    const agentId = anId();
    const { agent } = await registry.operator.registerAgent({ agentId, profile: aProfile() });

    const refusal = await refused(
      registry.operator.registerAgent({ agentId, profile: aProfile({ description: "other" }) }),
    );

    expect(refusal).toMatchObject({
      reason: "AGENT_ALREADY_REGISTERED",
      code: "AlreadyExists",
      message: `agent_id '${agentId}' is registered already; set replace_existing to replace its profile`,
      metadata: { agent_id: agentId },
    });
    expect((await registry.operator.getAgent({ agentId })).agent).toEqual(agent);
  });

  test("with replace_existing replaces the profile and keeps reputation and first time", async () => {
    const agentId = anId();
    const first = await registry.operator.registerAgent({
      agentId,
      profile: aProfile({ description: "old" }),
    });
    await registry.operator.adjustReputation({ agentId, delta: 3, reason: "test" });

    const { agent } = await registry.operator.registerAgent({
      agentId,
      profile: aProfile({ capabilities: ["java"] }),
      declaredState: MAINTENANCE,
      replaceExisting: true,
    });

    expect(agent?.profile).toMatchObject({ capabilities: ["java"], description: "" });
    expect(agent?.reputation?.score).toBe(3);
    expect(agent?.createTime).toEqual(first.agent?.createTime);
    expect(agent?.availability?.declaredState).toBe(MAINTENANCE);
    expect(agent?.etag).toBe("3");
  });

  test("brings an unregistered agent back with the reputation it left with", async () => {
    const agentId = anId();
    await registry.operator.registerAgent({ agentId, profile: aProfile() });
    await registry.operator.adjustReputation({ agentId, delta: 2, reason: "test" });
    await registry.operator.unregisterAgent({ agentId });

    const { agent } = await registry.operator.registerAgent({ agentId, profile: aProfile() });

    expect(agent?.reputation?.score).toBe(2);
    expect(agent?.unregisterTime).toBeUndefined();
  });

  test("with validate_only answers what would be, and changes nothing", async () => {
    const agentId = anId();
    const before = [await count("agents"), await count("outbox"), await count("requests")];

    const { agent } = await registry.operator.registerAgent({
      agentId,
      profile: aProfile({ capabilities: ["B", "a"] }),
      validateOnly: true,
      requestId: "dry",
    });

    expect(agent).toMatchObject({ agentId, etag: "1", profile: { capabilities: ["a", "b"] } });
    expect([await count("agents"), await count("outbox"), await count("requests")]).toEqual(before);
  });

  test("with validate_only refuses what it would refuse", async () => {
    const agentId = anId();
    await registry.operator.registerAgent({ agentId, profile: aProfile() });

    const call = registry.operator.registerAgent({
      agentId,
      profile: aProfile(),
      validateOnly: true,
    });

    expect(await refused(call)).toMatchObject({ reason: "AGENT_ALREADY_REGISTERED" });
  });

  test("answers a request that is repeated with the first answer", async () => {
    const request = { agentId: anId(), profile: aProfile(), requestId: anId("request") };
    const first = await registry.operator.registerAgent(request);

    const second = await registry.operator.registerAgent(request);
    const other = registry.operator.registerAgent({ ...request, replaceExisting: true });

    expect(second).toEqual(first);
    expect(await refused(other)).toMatchObject({
      reason: "REQUEST_ID_REUSED",
      code: "AlreadyExists",
    });
  });

  test("of 20 callers with one id registers exactly one", async () => {
    const agentId = anId();
    const calls = Array.from({ length: 20 }, (_, n) =>
      registry.operator.registerAgent({ agentId, profile: aProfile({ description: `${n}` }) }),
    );

    const outcomes = await Promise.allSettled(calls);

    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    const reasons = await Promise.all(
      calls.map((call) =>
        call.then(
          () => "won",
          () => refused(call),
        ),
      ),
    );
    expect(won).toHaveLength(1);
    expect(reasons.filter((each) => each !== "won")).toEqual(
      Array(19).fill(expect.objectContaining({ reason: "AGENT_ALREADY_REGISTERED" })),
    );
    expect((await registry.operator.getAgent({ agentId })).agent).toEqual(won[0]?.value.agent);
  });

  test("of 20 callers with one request_id answers all alike", async () => {
    const request = { agentId: anId(), profile: aProfile(), requestId: anId("request") };

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => registry.operator.registerAgent(request)),
    );

    expect(answers.every((answer) => answer.agent?.etag === "1")).toBe(true);
    expect(new Set(answers.map((answer) => answer.agent?.createTime?.nanos)).size).toBe(1);
  });

  test("of 20 callers that replace one agent loses none", async () => {
    const agentId = anId();

    await Promise.all(
      Array.from({ length: 20 }, () =>
        registry.operator.registerAgent({ agentId, profile: aProfile(), replaceExisting: true }),
      ),
    );

    expect((await registry.operator.getAgent({ agentId })).agent?.etag).toBe("20");
  });

  test("stores latencies in the form that JSON can hold, however they were written", async () => {
    const p50Latency = { seconds: 1n, nanos: -1 };
    const p95Latency = { seconds: 1n, nanos: 1_000_000_001 };

    const profile = aProfile({ sla: { p50Latency, p95Latency } });
    const { agent } = await registry.operator.registerAgent({ agentId: anId(), profile });

    expect(toJson(AgentProfileSchema, agent?.profile as AgentProfile)).toMatchObject({
      sla: { p50Latency: "0.999999999s", p95Latency: "2.000000001s" },
    });
  });

  test("does not keep what the contract does not know, which would break every watch", async () => {
    const data = new BinaryWriter().bytes(new Uint8Array(4 * 1024 * 1024 - 100)).finish();
    const profile = create(AgentProfileSchema, aProfile());
    // As a client would send it that knows one more field, of any size.
    profile.$unknown = [{ no: 1_000, wireType: WireType.LengthDelimited, data }];
    const { agent } = await registry.operator.registerAgent({ agentId: anId(), profile });

    expect(agent?.profile?.$unknown).toBeUndefined();
    await using watcher = aWatcher(registry.operator);
    await expect.poll(watcher.isSynced).toBe(true);
  });

  test("lets an agent register itself, and nobody else", async () => {
    const agentId = anId();
    const self = registry.as(`agent:${agentId}`);

    await self.registerAgent({ agentId, profile: aProfile() });
    const other = self.registerAgent({ agentId: anId(), profile: aProfile() });

    expect(await refused(other)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });

  test("tells the lineage in the same transaction", async () => {
    const agentId = anId();

    await registry.operator.registerAgent({ agentId, profile: aProfile() });
    await registry.operator.updateAgent({
      agentId,
      profile: { description: "x" },
      updateMask: { paths: ["description"] },
    });
    await registry.operator.adjustReputation({ agentId, delta: 1, reason: "test" });
    await registry.operator.unregisterAgent({ agentId });

    const { rows } = await registry.pool.query(
      "select id, kind, payload from outbox where key = $1 order by position",
      [agentId],
    );
    expect(rows.map((row) => row.payload)).toMatchObject([
      { type: "agent_registered", payload: { arrival: "new", capabilities: ["python"] } },
      { type: "agent_updated", payload: { fields: ["description"] } },
      { type: "reputation_adjusted" },
      { type: "agent_unregistered", subjects: { agent: agentId } },
    ]);
    // Else it would stay on the record when the agent is erased.
    expect(rows.map((row) => row.payload.eventId).join()).not.toContain(agentId);
  });
});

describe("a profile that breaks a rule is refused with INVALID_REQUEST", () => {
  const eur = (micros: bigint) => ({ micros, currencyCode: "EUR" });
  const seconds = (n: number) => ({ seconds: BigInt(n) });

  test.each([
    ["no capability", { capabilities: [] }, "capabilities"],
    [
      "101 capabilities",
      { capabilities: Array.from({ length: 101 }, (_, n) => `c${n}`) },
      "capabilities",
    ],
    ["an empty capability", { capabilities: ["  "] }, "capabilities[0]"],
    ["a capability of two words", { capabilities: ["two words"] }, "capabilities[0]"],
    ["a capability that is an IBAN", { capabilities: ["NO9386011117947"] }, "capabilities[0]"],
    ["a negative price", { pricing: { costPerTask: eur(-5_000_000n) } }, "pricing"],
    [
      "a price beyond all bounds",
      { pricing: { costPerTask: eur(2n ** 60n) } },
      "pricing.cost_per_task.micros",
    ],
    ["pricing without a price", { pricing: {} }, "pricing.cost_per_task"],
    [
      "a currency in lower case",
      { pricing: { costPerTask: { micros: 1n, currencyCode: "eur" } } },
      "pricing.cost_per_task.currency_code",
    ],
    ["a success rate above 1", { sla: { successRate: 1.1 } }, "sla.success_rate"],
    ["a success rate that is no number", { sla: { successRate: Number.NaN } }, "sla.success_rate"],
    ["a latency of nothing", { sla: { p50Latency: seconds(0) } }, "sla.p50_latency"],
    [
      "a median above the 99th percentile",
      { sla: { p50Latency: seconds(9), p99Latency: seconds(8) } },
      "sla",
    ],
    ["a negative cost model", { costModel: { base: eur(1n), perMinute: eur(-1n) } }, "cost_model"],
    [
      "a cost model in two currencies",
      { costModel: { base: eur(1n), perMinute: { micros: 1n, currencyCode: "USD" } } },
      "cost_model",
    ],
    ["a capacity of nothing", { capacityPerHour: 0 }, "capacity_per_hour"],
    ["a negative capacity", { capacityPerHour: -3 }, "capacity_per_hour"],
    ["no task at once", { maxConcurrent: 0 }, "max_concurrent"],
    [
      "an endpoint that is no URI",
      { endpoint: { uri: "no uri", protocol: "grpc" } },
      "endpoint.uri",
    ],
    ["a name beyond its length", { displayName: "x".repeat(201) }, "display_name"],
    ["a NUL in a label", { metadata: { team: "a\0" } }, 'metadata["team"]'],
    ["a NUL in the name of a label", { metadata: { "\0": "a" } }, 'metadata["\0"]'],
  ] as const)("%s", async (_, profile, field) => {
    const agentId = anId();

    const call = registry.operator.registerAgent({
      agentId,
      profile: aProfile(profile as Parameters<typeof aProfile>[0]),
    });

    expect(await refused(call)).toMatchObject({
      reason: "INVALID_REQUEST",
      code: "InvalidArgument",
      fields: [`profile.${field}`],
    });
    expect(await refused(registry.operator.getAgent({ agentId }))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
    });
  });

  test("and says how much the price was", async () => {
    const profile = aProfile({ pricing: { costPerTask: eur(-5_000_000n) } });

    const refusal = await refused(registry.operator.registerAgent({ agentId: "x", profile }));

    expect(refusal.message).toBe("profile.pricing: cost per task must be non-negative, got -5");
  });

  test.each(["", "has blank", "ümlaut", "a".repeat(65), "a/b"])(
    "an id of '%s'",
    async (agentId) => {
      const call = registry.operator.registerAgent({ agentId, profile: aProfile() });

      expect(await refused(call)).toMatchObject({
        reason: "INVALID_REQUEST",
        fields: ["agent_id"],
      });
    },
  );

  test("every fault at once", async () => {
    const call = registry.operator.registerAgent({
      agentId: "a b",
      profile: { capabilities: [], capacityPerHour: 0 },
      lease: { seconds: 0n },
    });

    expect((await refused(call)).fields.sort()).toEqual([
      "agent_id",
      "lease",
      "profile.capabilities",
      "profile.capacity_per_hour",
    ]);
  });
});

describe("BatchRegisterAgents", () => {
  const part = (agentId: string, replaceExisting = false) => {
    return { agentId, profile: aProfile(), replaceExisting };
  };

  test("registers all, in the order of the request, and answers with all but the profiles", async () => {
    const ids = [anId("z"), anId("a"), anId("m")];

    const { agents } = await registry.operator.batchRegisterAgents({
      requests: ids.map((id) => part(id)),
    });

    expect(agents.map((agent) => agent.agentId)).toEqual(ids);
    const read = await registry.operator.batchGetAgents({ agentIds: ids });
    expect(read.agents.map(({ profile: _, ...rest }) => rest)).toEqual(agents);
  });

  test("registers none when one is registered already, and names those that are", async () => {
    const [taken, replaced, fresh] = [anId(), anId(), anId()];
    await registry.operator.batchRegisterAgents({ requests: [part(taken), part(replaced)] });

    const refusal = await refused(
      registry.operator.batchRegisterAgents({
        requests: [part(fresh), part(taken), part(replaced, true)],
      }),
    );

    expect(refusal).toMatchObject({
      reason: "AGENT_ALREADY_REGISTERED",
      metadata: { agent_id: taken },
      fields: ["requests[1].agent_id"],
    });
    const { missingAgentIds } = await registry.operator.batchGetAgents({ agentIds: [fresh] });
    expect(missingAgentIds).toEqual([fresh]);
  });

  test("refuses an id that stands twice, before one that is taken", async () => {
    const taken = anId();
    await registry.operator.registerAgent(part(taken));

    const refusal = await refused(
      registry.operator.batchRegisterAgents({ requests: [part(taken), part("b"), part("b")] }),
    );

    expect(refusal).toMatchObject({
      reason: "DUPLICATE_AGENT_ID",
      code: "InvalidArgument",
      fields: ["requests[2].agent_id"],
    });
  });

  test("mixes new, replaced and returned agents", async () => {
    const [fresh, there, gone] = [anId(), anId(), anId()];
    await registry.operator.batchRegisterAgents({ requests: [part(there), part(gone)] });
    await registry.operator.unregisterAgent({ agentId: gone });

    const { agents } = await registry.operator.batchRegisterAgents({
      requests: [part(gone), part(there, true), part(fresh)],
    });

    expect(agents.map((agent) => agent.etag)).toEqual(["3", "2", "1"]);
  });

  test("of two overlapping batches at once registers one, all or none", async () => {
    const ids = Array.from({ length: 200 }, () => anId());
    const requests = ids.map((id) => part(id));

    const calls = [requests, requests.toReversed(), requests.slice(100)].map((some) =>
      registry.operator.batchRegisterAgents({ requests: some }),
    );
    const outcomes = await Promise.all(
      calls.map((call) =>
        call.then(
          () => "won",
          () => refused(call),
        ),
      ),
    );

    const { agents } = await registry.operator.batchGetAgents({ agentIds: ids });
    expect(outcomes.filter((each) => each !== "won")).toEqual(
      Array(2).fill(expect.objectContaining({ reason: "AGENT_ALREADY_REGISTERED" })),
    );
    expect(agents.every((agent) => agent.etag === "1")).toBe(true);
    expect([100, 200]).toContain(agents.length);
  });

  test("with validate_only changes nothing", async () => {
    const agentId = anId();

    const { agents } = await registry.operator.batchRegisterAgents({
      requests: [part(agentId)],
      validateOnly: true,
    });

    expect(agents).toHaveLength(1);
    const read = await registry.operator.batchGetAgents({ agentIds: [agentId] });
    expect(read.missingAgentIds).toEqual([agentId]);
  });

  test("answers a repeated request with the first answer", async () => {
    const request = { requestId: anId("request"), requests: [part(anId()), part(anId())] };
    const first = await registry.operator.batchRegisterAgents(request);

    expect(await registry.operator.batchRegisterAgents(request)).toEqual(first);
  });

  test("is for operators", async () => {
    const agentId = anId();
    const call = registry.as(`agent:${agentId}`).batchRegisterAgents({ requests: [part(agentId)] });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

test("an agent that is not registered any more is OFFLINE", async () => {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile: aProfile() });

  const { agent } = await registry.operator.unregisterAgent({ agentId });

  expect(agent?.availability?.state).toBe(OFFLINE);
});
