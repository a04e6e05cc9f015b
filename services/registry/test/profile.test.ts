import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aDatabase, anId, aProfile, openRegistry } from "./registry.ts";

const { registry } = await registryForFile();

async function anAgent(profile = aProfile()): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile });
  return agentId;
}

/** What may become of an agent between two pages. */
const FATES = ["passes", "differs", "goes"] as const;

const read = async (agentId: string) => (await registry.operator.getAgent({ agentId })).agent;

describe("UpdateAgent", () => {
  test("replaces what the mask names, and nothing else is looked at", async () => {
    const agentId = await anAgent(aProfile({ description: "old", sla: { successRate: 0.9 } }));

    const { agent } = await registry.operator.updateAgent({
      agentId,
      profile: { capabilities: [], capacityPerHour: -7, sla: { successRate: 0.5 } },
      updateMask: { paths: ["sla.success_rate"] },
    });

    expect(agent?.profile).toMatchObject({
      capabilities: ["python"],
      description: "old",
      sla: { successRate: 0.5 },
    });
    expect(agent?.etag).toBe("2");
    expect(await read(agentId)).toEqual(agent);
  });

  test("normalises capabilities and finds the agent by them", async () => {
    const agentId = await anAgent();
    const capability = anId("cap");

    await registry.operator.updateAgent({
      agentId,
      profile: { capabilities: [` ${capability.toUpperCase()} `] },
      updateMask: { paths: ["capabilities"] },
    });

    const { agents } = await registry.operator.listAgents({ capabilities: [capability] });
    expect(agents.map((agent) => agent.agentId)).toEqual([agentId]);
  });

  test("that changes nothing leaves the etag as it is", async () => {
    const agentId = await anAgent(aProfile({ description: "same" }));

    const same = await registry.operator.updateAgent({
      agentId,
      profile: { description: "same" },
      updateMask: { paths: ["description"] },
    });

    expect(same.agent?.etag).toBe("1");
  });

  test("with validate_only answers what would be, and changes nothing", async () => {
    const agentId = await anAgent();

    const { agent } = await registry.operator.updateAgent({
      agentId,
      profile: { description: "x" },
      updateMask: { paths: ["description"] },
      validateOnly: true,
    });

    expect(agent?.profile?.description).toBe("x");
    expect((await read(agentId))?.profile?.description).toBe("");
  });

  test.each`
    reason               | code                 | known    | path             | etag   | price
    ${"AGENT_NOT_FOUND"} | ${"NotFound"}        | ${false} | ${"nope"}        | ${"9"} | ${-1n}
    ${"UNKNOWN_FIELD"}   | ${"InvalidArgument"} | ${true}  | ${"nope"}        | ${"9"} | ${-1n}
    ${"ETAG_MISMATCH"}   | ${"Aborted"}         | ${true}  | ${"description"} | ${"9"} | ${-1n}
    ${"INVALID_PROFILE"} | ${"InvalidArgument"} | ${true}  | ${"description"} | ${"1"} | ${-1n}
  `(
    "refuses with $reason before what comes after it",
    async ({ reason, code, known, path, etag, price }) => {
      const agentId = known ? await anAgent() : anId();
      const before = known ? await read(agentId) : undefined;
      const update = {
        agentId,
        etag,
        profile: { pricing: { costPerTask: { micros: price, currencyCode: "EUR" } } },
        updateMask: { paths: ["pricing", path] },
      };

      const real = await refused(registry.operator.updateAgent(update));
      const dry = await refused(registry.operator.updateAgent({ ...update, validateOnly: true }));

      expect(real).toMatchObject({ reason, code });
      expect(dry).toMatchObject({ reason, code });
      if (before !== undefined) expect(await read(agentId)).toEqual(before);
    },
  );

  test("refuses a merged profile that breaks a rule with the fields at fault", async () => {
    const agentId = await anAgent(
      aProfile({ sla: { p50Latency: { seconds: 10n }, p99Latency: { seconds: 20n } } }),
    );

    const refusal = await refused(
      registry.operator.updateAgent({
        agentId,
        profile: { sla: { p99Latency: { seconds: 5n } } },
        updateMask: { paths: ["sla.p99_latency", "capabilities"] },
      }),
    );

    expect(refusal.reason).toBe("INVALID_PROFILE");
    expect(refusal.fields.sort()).toEqual(["profile.capabilities", "profile.sla"]);
  });

  test.each([
    ["no path", []],
    ["more paths than a profile can have", Array.from({ length: 101 }, (_, n) => `x${n}`)],
  ])("refuses a mask with %s", async (_, paths) => {
    const agentId = await anAgent();

    const call = registry.operator.updateAgent({ agentId, updateMask: { paths } });

    expect(await refused(call)).toMatchObject({
      reason: "INVALID_REQUEST",
      code: "InvalidArgument",
      fields: ["update_mask"],
    });
  });

  test.each([
    ["a capability that is too long with its margins", [`${" ".repeat(100)}x`], "[0]"],
    ["too many capabilities, however often each stands", Array<string>(101).fill("x"), ""],
    ["a capability of two words", ["two words"], "[0]"],
  ])("refuses %s, as RegisterAgent does", async (_, capabilities, at) => {
    const agentId = await anAgent();
    const profile = aProfile({ capabilities });

    const update = refused(
      registry.operator.updateAgent({ agentId, profile, updateMask: { paths: ["capabilities"] } }),
    );
    const registration = refused(registry.operator.registerAgent({ agentId: anId(), profile }));

    const fields = [`profile.capabilities${at}`];
    expect(await registration).toMatchObject({ reason: "INVALID_REQUEST", fields });
    expect(await update).toMatchObject({ reason: "INVALID_PROFILE", fields });
  });

  test("with one etag lets one of 10 writers win", async () => {
    const agentId = await anAgent();

    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        registry.operator.updateAgent({
          agentId,
          etag: "1",
          profile: { description: `${n}` },
          updateMask: { paths: ["description"] },
        }),
      ),
    );

    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    expect((await read(agentId))?.etag).toBe("2");
  });

  test("answers a repeated request with the first answer", async () => {
    const agentId = await anAgent();
    const request = {
      requestId: anId("request"),
      agentId,
      etag: "1",
      profile: { description: "x" },
      updateMask: { paths: ["description"] },
    };
    const first = await registry.operator.updateAgent(request);

    expect(await registry.operator.updateAgent(request)).toEqual(first);
  });

  test("is refused to another agent", async () => {
    const agentId = await anAgent();
    const other = registry.as(`agent:${anId()}`);

    const call = other.updateAgent({ agentId, updateMask: { paths: ["description"] } });

    expect(await refused(call)).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("UnregisterAgent", () => {
  test("leaves a tombstone that is only seen when asked for", async () => {
    const agentId = await anAgent();

    const { agent } = await registry.operator.unregisterAgent({ agentId });

    expect(agent?.unregisterTime).toBeDefined();
    expect(await refused(registry.operator.getAgent({ agentId }))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
      code: "NotFound",
    });
    const found = await registry.operator.getAgent({ agentId, includeUnregistered: true });
    expect(found.agent?.unregisterTime).toEqual(agent?.unregisterTime);
  });

  test.each`
    reason               | code          | known    | etag
    ${"AGENT_NOT_FOUND"} | ${"NotFound"} | ${false} | ${"9"}
    ${"ETAG_MISMATCH"}   | ${"Aborted"}  | ${true}  | ${"9"}
  `("refuses with $reason", async ({ reason, code, known, etag }) => {
    const agentId = known ? await anAgent() : anId();

    const refusal = await refused(registry.operator.unregisterAgent({ agentId, etag }));

    expect(refusal).toMatchObject({ reason, code });
  });

  test("refuses a second time, except as the same request", async () => {
    const agentId = await anAgent();
    const request = { agentId, requestId: anId("request") };
    const first = await registry.operator.unregisterAgent(request);

    expect(await registry.operator.unregisterAgent(request)).toEqual(first);
    expect(await refused(registry.operator.unregisterAgent({ agentId }))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
    });
  });
});

describe("reading", () => {
  test("BatchGetAgents answers in the order asked and names who is missing", async () => {
    const [a, b, gone] = [await anAgent(), await anAgent(), await anAgent()];
    await registry.operator.unregisterAgent({ agentId: gone });

    const { agents, missingAgentIds } = await registry.operator.batchGetAgents({
      agentIds: [b, "nobody", a, gone, b],
    });

    expect(agents.map((agent) => agent.agentId)).toEqual([b, a, b]);
    expect(missingAgentIds).toEqual(["nobody", gone]);
  });

  test("ListAgents gives whoever passes throughout once, by id, whatever changes meanwhile", async () => {
    const { operator } = registry;
    const someFates = fc.dictionary(fc.constantFrom(..."aBc_D9"), fc.constantFrom(...FATES));
    const someLeaves = fc.array(
      fc.record({ pageSize: fc.integer({ min: 1, max: 2 }), fates: someFates }),
      {
        minLength: 3,
        maxLength: 6,
      },
    );
    const property = fc.asyncProperty(someFates, someLeaves, async (before, leaves) => {
      const team = anId("team");
      const passing = new Set<string>();
      const meet = async ([letter, fate]: readonly [string, (typeof FATES)[number]]) => {
        const agentId = `${team}${letter}`;
        const metadata = fate === "passes" ? { team } : {};
        const profile = aProfile({ metadata, description: crypto.randomUUID() });
        passing[fate === "passes" ? "add" : "delete"](agentId);
        await operator.registerAgent({ agentId, profile, replaceExisting: true });
        if (fate === "goes") await operator.unregisterAgent({ agentId });
      };
      await Promise.all(Object.entries(before).map(meet));
      let throughout = [...passing];
      const seen: string[] = [];
      let pageToken = "";

      for (let nth = 0; nth === 0 || pageToken !== ""; nth += 1) {
        const { pageSize = 2, fates = {} } = leaves[nth] ?? {};
        const page = await operator.listAgents({ metadata: { team }, pageSize, pageToken });
        const ids = page.agents.map((agent) => agent.agentId);
        expect(ids.filter((id) => !passing.has(id))).toEqual([]);
        seen.push(...ids);
        pageToken = page.nextPageToken;
        throughout = throughout.filter((id) => passing.has(id));
        await Promise.all(Object.entries(fates).map(meet));
      }

      expect(seen).toEqual([...new Set(seen)].sort());
      expect(seen).toEqual(expect.arrayContaining(throughout));
    });

    await fc.assert(property, { numRuns: 15 });
  });

  test("ListAgents gives only what the filter asks for", async () => {
    const team = anId("team");
    const [x, y] = [anId("x"), anId("y")];
    const both = await anAgent(aProfile({ metadata: { team }, capabilities: [x, y] }));
    const one = await anAgent(aProfile({ metadata: { team, zone: "eu" }, capabilities: [x] }));
    const gone = await anAgent(aProfile({ metadata: { team }, capabilities: [x] }));
    await registry.operator.unregisterAgent({ agentId: gone });
    await registry.operator.heartbeat({
      agentId: one,
      declaredState: AvailabilityState.MAINTENANCE,
    });
    const list = async (filter: Parameters<typeof registry.operator.listAgents>[0]) =>
      (await registry.operator.listAgents(filter)).agents.map((agent) => agent.agentId).sort();

    expect(await list({ capabilities: [x.toUpperCase(), y] })).toEqual([both]);
    expect(await list({ capabilities: [x] })).toEqual([both, one].sort());
    expect(await list({ capabilities: [x], includeUnregistered: true })).toHaveLength(3);
    expect(await list({ metadata: { team, zone: "eu" } })).toEqual([one]);
    expect(
      await list({ metadata: { team }, declaredState: AvailabilityState.MAINTENANCE }),
    ).toEqual([one]);
  });

  test("ListAgents refuses a token of another filter or of nothing", async () => {
    await anAgent();
    await anAgent();
    const { nextPageToken: pageToken } = await registry.operator.listAgents({ pageSize: 1 });

    for (const request of [{ pageToken, capabilities: ["x"] }, { pageToken: "junk" }]) {
      expect(await refused(registry.operator.listAgents(request))).toMatchObject({
        reason: "INVALID_PAGE_TOKEN",
        code: "InvalidArgument",
      });
    }
    expect(await refused(registry.operator.listAgents({ pageSize: -1 }))).toMatchObject({
      reason: "INVALID_REQUEST",
    });
  });

  test("ListAgents refuses a token with a place that no agent can have", async () => {
    const { nextPageToken } = await registry.operator.listAgents({ pageSize: 1 });
    const [digest] = JSON.parse(Buffer.from(nextPageToken, "base64url").toString());
    const pageToken = Buffer.from(JSON.stringify([digest, "\0"])).toString("base64url");

    const call = registry.operator.listAgents({ pageSize: 1, pageToken });

    expect(await refused(call)).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });

  test.each([
    ["a label", { metadata: { a: "\0" } }],
    ["a label's name", { metadata: { "\0": "a" } }],
    ["a capability", { capabilities: ["\0"] }],
  ])("ListAgents refuses a NUL in %s", async (_, filter) => {
    const call = registry.operator.listAgents(filter);

    expect(await refused(call)).toMatchObject({ reason: "INVALID_REQUEST" });
  });

  test("ListAgents ends a page early rather than exceed a message", async () => {
    const team = anId("team");
    const labels = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`label-${n}`, "x".repeat(1_000)]),
    );
    const parts = Array.from({ length: 100 }, () => {
      return { agentId: anId(), profile: aProfile({ metadata: { ...labels, team } }) };
    });
    for (const requests of [parts.slice(0, 50), parts.slice(50)]) {
      await registry.operator.batchRegisterAgents({ requests });
    }

    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await registry.operator.listAgents({
        metadata: { team },
        pageSize: 1_000,
        pageToken,
      });
      ids.push(...page.agents.map((agent) => agent.agentId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");

    expect(ids).toEqual(parts.map((part) => part.agentId).sort());
  });

  test("SummarizeCapabilities counts registered agents, most first, then by name", async () => {
    await using own = await aDatabase();
    await using quiet = await openRegistry({ url: own.url });
    expect(await quiet.operator.summarizeCapabilities({})).toMatchObject({
      capabilities: [],
      totalAgents: 0n,
    });
    const capabilities = [["b", "a"], ["a"], ["c", "a"], ["d"]];
    for (const [n, some] of capabilities.entries()) {
      await quiet.operator.registerAgent({
        agentId: `agent-${n}`,
        profile: aProfile({ capabilities: some }),
      });
    }
    await quiet.operator.unregisterAgent({ agentId: "agent-3" });

    const summary = await quiet.operator.summarizeCapabilities({});

    expect(summary.totalAgents).toBe(3n);
    expect(summary.capabilities.map(({ capability, agents }) => [capability, agents])).toEqual([
      ["a", 3n],
      ["b", 1n],
      ["c", 1n],
    ]);
  });
});
