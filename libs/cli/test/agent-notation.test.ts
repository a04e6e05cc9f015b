import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { createLeftOut } from "../src/agents/left-out.ts";
import { linesOf, type ReadAgent, readYaml } from "../src/agents/read.ts";
import { FORMATS } from "../src/agents/write.ts";

async function* whole(content: string): AsyncGenerator<string> {
  yield content;
}

/** Reads a file, and what was told of it. */
async function read(content: string) {
  const agents: ReadAgent[] = [];
  const told: string[] = [];
  const leftOut = createLeftOut((text) => void told.push(text));
  for await (const agent of readYaml(linesOf(whole(content)), leftOut)) agents.push(agent);
  leftOut.end();
  return { agents, told };
}

/** What an export would write of a file. */
async function exportedFrom(content: string): Promise<string> {
  const { agents } = await read(content);
  const { head, lines } = FORMATS.yaml;
  return head + agents.map((one) => ("record" in one ? lines(one.record) : expect.fail())).join("");
}

/** As the guide of the Performance Market prints an agent. */
const PRINTED = `agent_id: build-iso-optimizer
capabilities:
  - iso_construction
  - driver_injection
sla:
  p50_latency: "20m"
  p95_latency: "30m"
  p99_latency: "45m"
  success_rate: 0.98
  max_cost: "€2.50/task"
cost_model:
  base_cost: 1.5
  per_minute_cost: 0.05
  complexity_multiplier: 1.3
reputation:
  current_credits: 125.50
  calibration_score: 0.92
  completed_tasks: 42
  failed_tasks: 2
  average_latency: 22.3
`;

/** As the Performance Market keeps its agents: keys in any order, lists at the depth of their key. */
const KEPT = `\ufefftotal_agents: 2
agents:
- status: active
  capabilities:
  - iso_construction
  sla:
    max_cost: $1.80/task
    p50_latency: 35m
    success_rate: 0.92
  reputation:
    average_latency: null
    current_credits: 0
    last_calibration: 2025-10-16T14:30:22Z
  registered: 2025-10-16T14:30:22Z
  agent_id: build-iso-optimizer-backup
  updated: 2025-10-16T14:30:22Z
  cost_model:
    complexity_multiplier: 1.1
    base_cost: 1.2
    per_minute_cost: 0

- agent_id: supplier-verifier
  capabilities: [supplier_verification]
  reputation: {}
  status: inactive
marketplace_version: 1.0.0
updated: 2025-10-16T14:30:22Z
`.replaceAll("\n", "\r\n");

describe("an agent of the Performance Market", () => {
  test("is read as it is printed, alone in its document", async () => {
    expect(await exportedFrom(PRINTED)).toBe(`agents:
  - agent_id: build-iso-optimizer
    capabilities:
      - iso_construction
      - driver_injection
    sla:
      p50_latency: 20m
      p95_latency: 30m
      p99_latency: 45m
      success_rate: 0.98
      max_cost: €2.50/task
    cost_model:
      base_cost: 1.5
      per_minute_cost: 0.05
      complexity_multiplier: 1.3
`);
  });

  test("is read as it is kept, among others", async () => {
    expect(await exportedFrom(KEPT)).toBe(`agents:
  - agent_id: build-iso-optimizer-backup
    capabilities:
      - iso_construction
    sla:
      p50_latency: 35m
      success_rate: 0.92
      max_cost: $1.80/task
    cost_model:
      base_cost: 1.2
      per_minute_cost: 0
      complexity_multiplier: 1.1
    state: ONLINE
  - agent_id: supplier-verifier
    capabilities:
      - supplier_verification
    state: OFFLINE
`);
  });

  test("has nothing of what a market reckons itself, which is told once with its count", async () => {
    const { told } = await read(KEPT);

    expect(told).toEqual([
      "reputation is the market's own record: left out 2 times",
      "registered is the market's own record: left out once",
      "updated is the market's own record: left out 2 times",
      "total_agents is the market's own record: left out once",
      "marketplace_version is the market's own record: left out once",
    ]);
  });

  test.each([
    ["$2.50/task", "USD"],
    ["€2.50/task", "EUR"],
    [undefined, "EUR"],
  ])("whose max_cost is %s has a cost model in %s", async (maxCost, currencyCode) => {
    const sla = maxCost === undefined ? "" : `sla: { max_cost: ${maxCost} }`;

    const { agents } = await read(
      `agent_id: a\ncapabilities: [b]\ncost_model: { base_cost: 1.5 }\n${sla}`,
    );

    const base = { micros: 1_500_000n, currencyCode };
    expect(agents).toMatchObject([{ record: { profile: { costModel: { base } } } }]);
  });

  test.each([
    ["active", "ONLINE"],
    ["Online", "ONLINE"],
    ["AVAILABLE", "ONLINE"],
    ["DEGRADED", "BUSY"],
    ["inactive", "OFFLINE"],
    ["SUSPENDED", "MAINTENANCE"],
  ] as const)("whose status is %s is %s", async (status, state) => {
    const { agents } = await read(`agent_id: a\ncapabilities: [b]\nstatus: ${status}`);

    expect(agents).toMatchObject([{ record: { declaredState: AvailabilityState[state] } }]);
  });

  test.each([
    ["status: retired", /^status: must be active, /],
    ["status: constructor", /^status: must be active, /],
    ["status: active\nstate: BUSY", /^status: says ONLINE, but state says BUSY/],
    ["credits: 3", /credits/],
    ["__proto__: { auto_bid: true }", /__proto__/],
  ])("with %j is a fault", async (line, fault) => {
    const { agents } = await read(`agent_id: a\ncapabilities: [b]\n${line}`);

    expect(agents).toEqual([{ line: 1, faults: [expect.stringMatching(fault)] }]);
  });
});

test("notes on billing without a price are not left out in silence", async () => {
  const { agents } = await read("agent_id: a\ncapabilities: [b]\nbilling_notes: per page");

  expect(agents).toMatchObject([
    { record: { profile: { pricing: { billingNotes: "per page" } } } },
  ]);
});

describe("a file of several documents", () => {
  test("is read document by document, each agent with its line", async () => {
    const { agents } = await read(`# Two by themselves, two in a list.
---
agent_id: one
description: |
  - agent_id: no
  agents:

  # no remark
capabilities:
- a
--- # the next one
capabilities: [b]
agent_id: two
...
---
agents:
  # a remark
  - agent_id: three
    capabilities: [c]
---
- agent_id: four
  capabilities: [d]
---
agents: []
`);

    expect(agents).toMatchObject([
      { line: 3, record: { agentId: "one" } },
      { line: 12, record: { agentId: "two" } },
      { line: 18, record: { agentId: "three" } },
      { line: 21, record: { agentId: "four" } },
    ]);
    expect(agents[0]).toMatchObject({
      record: { profile: { description: "- agent_id: no\nagents:\n\n# no remark\n" } },
    });
  });

  test("goes on after a document that is at fault", async () => {
    const { agents } = await read(`agent_id: one
capabilities: [
---
-
---
agent_id: two
capabilities: [b]
`);

    expect(agents).toMatchObject([
      { line: 1, faults: [expect.any(String)] },
      { line: 4, faults: [expect.any(String)] },
      { line: 6, record: { agentId: "two" } },
    ]);
  });

  test.each([
    ["tasks:\n- a: b", 1],
    ["agent_id: a\ncapabilities: [b]\n---\n- agent_id: c\n  capabilities: [d]\ntasks: []", 6],
    ["agents:\n  one: { capabilities: [a] }", 2],
    ["agents:\n  - agent_id: a\n    capabilities: [b]\n - agent_id: c", 4],
    ["agents:\n- agent_id: a\n  capabilities: [b]\nupdated: [", 4],
    ["[a, b]", 1],
    ["just words", 1],
  ])("is refused where it is neither an agent nor a list of them: %j", async (content, line) => {
    await expect(read(content)).rejects.toThrow(new RegExp(`^line ${line}: `));
  });
});

test("an export says the same to a reader of YAML 1.1, where more words are no text", async () => {
  const texts = ["no", "Yes", "off", "on", "y", "010", "1_000", "12:30", "2026-11-21", "0b11", "~"];
  const agents = texts.map((text, nth) => ({
    agent_id: `agent-${nth}`,
    name: text,
    cost_per_task: "$0.50",
    billing_notes: text,
    capabilities: ["paint"],
    metadata: { [text]: text },
  }));

  const items = agents.map((agent) => `- ${JSON.stringify(agent)}\n`);
  const exported = await exportedFrom(`agents:\n${items.join("")}`);

  expect(parse(exported, { version: "1.1" })).toMatchObject({ agents });
  expect(await exportedFrom(exported)).toBe(exported);
});
