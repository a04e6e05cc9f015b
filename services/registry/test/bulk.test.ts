import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  type AgentRecord,
  AgentRecordSchema,
  type ImportAgentsRequestSchema,
  type ImportAgentsResponse,
} from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { type MessageInitShape, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyProfile } from "./any-profile.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aDatabase, anId, aProfile, openRegistry, type Registry } from "./registry.ts";

const { BUSY, MAINTENANCE, ONLINE, UNSPECIFIED } = AvailabilityState;

const { registry } = await registryForFile();

type Message = MessageInitShape<typeof ImportAgentsRequestSchema>;

async function imported(...messages: readonly Message[]): Promise<ImportAgentsResponse[]> {
  return importInto(registry.operator, messages);
}

async function importInto(to: Registry, messages: readonly Message[]) {
  const answers: ImportAgentsResponse[] = [];
  async function* stream() {
    yield* messages;
  }
  for await (const answer of to.importAgents(stream())) answers.push(answer);
  return answers;
}

async function exported(from: Registry, afterAgentId = ""): Promise<AgentRecord[]> {
  const records: AgentRecord[] = [];
  for await (const answer of from.exportAgents({ afterAgentId })) records.push(...answer.agents);
  return records;
}

async function read(agentId: string) {
  const { agent } = await registry.operator.getAgent({ agentId });
  return agent ?? expect.fail(`no agent ${agentId}`);
}

function some(count: number) {
  return Array.from({ length: count }, () => ({ agentId: anId(), profile: aProfile() }));
}

describe("ImportAgents", () => {
  test("registers the agents of each message and says how far it is", async () => {
    const [one, two] = [some(3), some(2)];

    const answers = await imported({ agents: one }, { agents: two });

    expect(answers.map(({ agents }) => agents)).toEqual([3n, 5n]);
    expect(answers.at(-1)).toMatchObject({ registeredAgents: 5n, refusedAgents: 0n, faults: [] });
    const agentIds = [...one, ...two].map(({ agentId }) => agentId);
    const { missingAgentIds } = await registry.operator.batchGetAgents({ agentIds });
    expect(missingAgentIds).toEqual([]);
  });

  test("leaves agents that are registered just so as they are, also in another state", async () => {
    const agents = some(2);
    await imported({ agents });
    const [{ agentId } = { agentId: "" }] = agents;
    await registry.operator.heartbeat({ agentId, declaredState: BUSY });
    const before = await read(agentId);

    const [answer] = await imported({ agents, replaceExisting: true });

    expect(answer).toMatchObject({ agents: 2n, unchangedAgents: 2n, replacedAgents: 0n });
    expect(await read(agentId)).toEqual(before);
  });

  test("knows a profile again whose labels and capabilities come in another order", async () => {
    const agentId = anId();
    const metadata = { region: "eu", tier: "gold" };
    await imported({ agents: [{ agentId, profile: { capabilities: ["a", "b"], metadata } }] });

    const again = { capabilities: ["B", "a"], metadata: { tier: "gold", region: "eu" } };
    const [answer] = await imported({ agents: [{ agentId, profile: again }] });

    expect(answer?.unchangedAgents).toBe(1n);
  });

  test("replaces a profile only when asked, keeping reputation, state and lease", async () => {
    const agentId = anId();
    const lease = { seconds: 60n };
    await imported({
      agents: [{ agentId, profile: aProfile(), declaredState: MAINTENANCE, lease }],
    });
    await registry.operator.adjustReputation({ agentId, delta: 2, reason: "test" });
    const other = { agentId, profile: aProfile({ description: "other" }) };

    const [kept, replaced] = await imported(
      { agents: [other] },
      { agents: [other], replaceExisting: true },
    );

    expect(kept?.faults).toMatchObject([{ agentId, reason: "AGENT_ALREADY_REGISTERED" }]);
    expect(replaced).toMatchObject({ agents: 2n, refusedAgents: 1n, replacedAgents: 1n });
    const agent = await read(agentId);
    expect(agent.profile?.description).toBe("other");
    expect(agent.reputation?.score).toBe(2);
    expect(agent.availability?.declaredState).toBe(MAINTENANCE);
    expect(agent.availability?.leaseExpireTime).toBeDefined();
  });

  test("brings an agent back with the reputation it left with", async () => {
    const agents = some(1);
    const [{ agentId } = { agentId: "" }] = agents;
    await imported({ agents });
    await registry.operator.adjustReputation({ agentId, delta: 2, reason: "test" });
    await registry.operator.unregisterAgent({ agentId });

    const [answer] = await imported({ agents });

    expect(answer?.returnedAgents).toBe(1n);
    expect((await read(agentId)).reputation?.score).toBe(2);
  });

  test("names what is wrong with each agent, and registers the others", async () => {
    const [good, twice, erased] = [anId(), anId(), anId()];
    await registry.operator.registerAgent({ agentId: erased, profile: aProfile() });
    await registry.operator.eraseAgent({ agentId: erased });

    const [, answer] = await imported(
      { agents: some(2) },
      {
        agents: [
          { agentId: good, profile: aProfile() },
          { agentId: "no id", profile: { capabilities: [], sla: { successRate: 2 } } },
          { agentId: anId() },
          { agentId: anId(), profile: { capabilities: ["+4915112345678"] } },
          { agentId: twice, profile: aProfile() },
          { agentId: twice, profile: aProfile({ description: "again" }) },
          { agentId: erased, profile: aProfile() },
          { agentId: anId(), profile: aProfile(), lease: { nanos: 1 } },
        ],
      },
    );

    const told = answer?.faults.map(({ index, field, reason }) => [Number(index), field, reason]);
    expect(told).toEqual([
      [3, "agent_id", "STRING_PATTERN"],
      [3, "profile.capabilities", "REPEATED_MIN_ITEMS"],
      [3, "profile.sla.success_rate", "DOUBLE_GTE_LTE"],
      [4, "profile", "REQUIRED"],
      [5, "profile.capabilities[0]", "STRING_PATTERN"],
      [5, "profile.capabilities[0]", "PERSONAL_DATA"],
      [7, "agent_id", "DUPLICATE_AGENT_ID"],
      [8, "agent_id", "AGENT_ERASED"],
      [9, "lease", "DURATION_GTE_LTE"],
    ]);
    expect(answer).toMatchObject({ agents: 10n, registeredAgents: 4n, refusedAgents: 6n });
    expect((await read(good)).etag).toBe("1");
    expect((await read(twice)).profile?.description).toBe("");
  });

  test("of an agent with a million faults tells one", async () => {
    const profile = { capabilities: Array.from({ length: 100_000 }, () => "") };

    const [answer] = await imported({ agents: [{ agentId: anId(), profile }] });

    expect(answer?.faults).toHaveLength(1);
  });

  test("with stop_at_fault registers none of the message, and ends", async () => {
    const [before, together, behind] = [anId(), anId(), anId()];
    const of = (agentId: string) => ({ agentId, profile: aProfile() });

    const answers = await imported(
      { agents: [of(before)], stopAtFault: true },
      { agents: [of(together), of("no id")], stopAtFault: true },
      { agents: [of(behind)], stopAtFault: true },
    );

    expect(answers.map(({ agents }) => agents)).toEqual([1n, 1n]);
    expect(answers[1]?.faults).toMatchObject([{ index: 2n, agentId: "no id" }]);
    const agentIds = [before, together, behind];
    const { missingAgentIds } = await registry.operator.batchGetAgents({ agentIds });
    expect(missingAgentIds).toEqual([together, behind]);
  });

  test("with validate_only tells what would be, and changes nothing", async () => {
    const [there] = some(1);
    const agents = [...(there ? [there] : []), ...some(1), { agentId: "no id" }];
    await imported({ agents: agents.slice(0, 1) });

    const [answer] = await imported({ agents, validateOnly: true });

    expect(answer).toMatchObject({ unchangedAgents: 1n, registeredAgents: 1n, refusedAgents: 1n });
    const { missingAgentIds } = await registry.operator.batchGetAgents({
      agentIds: agents.slice(1, 2).map(({ agentId }) => agentId),
    });
    expect(missingAgentIds).toHaveLength(1);
  });

  test("of imports of the same agents at once all end well, and each agent comes once", async () => {
    const agents = some(300);
    const turns = [agents, agents.toReversed(), agents.slice(100)];

    const answers = await Promise.all(turns.map((turn) => imported({ agents: turn })));

    const sum = (of: (answer: ImportAgentsResponse) => bigint) =>
      answers.flat().reduce((total, answer) => total + of(answer), 0n);
    expect(sum((answer) => answer.registeredAgents)).toBe(300n);
    expect(sum((answer) => answer.unchangedAgents)).toBe(500n);
  });

  test("tells the lineage of each agent that it registered, once", async () => {
    const agents = some(2);

    await imported({ agents }, { agents });

    const { rows } = await registry.pool.query(
      "select count(*)::int as n from outbox where key = any ($1)",
      [agents.map(({ agentId }) => agentId)],
    );
    expect(rows).toEqual([{ n: 2 }]);
  });

  test("that is broken off has registered what it answered for, and goes on from there", async () => {
    const agents = some(6);
    const stop = new AbortController();
    async function* stream() {
      yield { agents: agents.slice(0, 2) };
      yield { agents: agents.slice(2, 4) };
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    }
    let done = 0n;
    const broken = async () => {
      const { signal } = stop;
      for await (const answer of registry.operator.importAgents(stream(), { signal })) {
        done = answer.agents;
        if (done === 4n) stop.abort();
      }
    };
    await expect(broken()).rejects.toThrow();

    const [answer] = await imported({ agents: agents.slice(Number(done)) });

    expect(answer?.registeredAgents).toBe(2n);
  });

  test("is for operators", async () => {
    const call = importInto(registry.as(`agent:${anId()}`), [{ agents: some(1) }]);

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("ExportAgents", () => {
  test("gives every registered agent once, by id, with state and lease", async () => {
    await using empty = await aDatabase();
    await using other = await openRegistry({ url: empty.url });
    const agents = Array.from({ length: 450 }, (_, nth) => ({
      agentId: `agent-${String(nth).padStart(3, "0")}`,
      profile: aProfile(),
    }));
    const busy = {
      agentId: "busy",
      profile: aProfile(),
      declaredState: BUSY,
      lease: { seconds: 9n },
    };
    await importInto(other.operator, [{ agents: [...agents, busy] }]);
    await other.operator.unregisterAgent({ agentId: "agent-100" });

    const records = await exported(other.operator);

    const ids = agents.map(({ agentId }) => agentId).filter((id) => id !== "agent-100");
    expect(records.map(({ agentId }) => agentId)).toEqual([...ids, "busy"]);
    expect(records.at(-1)).toMatchObject({ declaredState: BUSY, lease: { seconds: 9n } });
    expect(records[0]?.declaredState).toBe(UNSPECIFIED);
    expect(await exported(other.operator, "agent-448")).toHaveLength(2);
  });

  test("what is exported, imported elsewhere and exported there is the same", async () => {
    await using emptyOne = await aDatabase();
    await using emptyOther = await aDatabase();
    await using one = await openRegistry({ url: emptyOne.url });
    await using other = await openRegistry({ url: emptyOther.url });
    const record = fc.record({
      profile: anyProfile,
      declaredState: fc.constantFrom(ONLINE, BUSY, MAINTENANCE),
      lease: fc.option(fc.record({ seconds: fc.bigInt(1n, 86_399n), nanos: fc.nat(999_999_999) }), {
        nil: undefined,
      }),
    });
    const json = (records: readonly AgentRecord[]) =>
      records.map((each) => JSON.stringify(toJson(AgentRecordSchema, each)));

    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (profiles) => {
        const agents = profiles.map((each) => {
          const { lease, ...rest } = each;
          return { agentId: anId("round"), ...rest, ...(lease && { lease }) };
        });
        const [first] = await importInto(one.operator, [{ agents }]);
        expect(first?.faults).toEqual([]);
        const told = await exported(one.operator);
        await importInto(other.operator, [{ agents: told.slice(0, 1_000) }]);

        expect(json(await exported(other.operator))).toEqual(json(told));
      }),
      { numRuns: 25 },
    );
  });
});
