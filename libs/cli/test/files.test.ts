import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { readAgents, readTask } from "../src/demo/files.ts";
import { ROOT } from "../src/place.ts";

function fileOf(content: string): string {
  const file = join(mkdtempSync(join(tmpdir(), "bourse-files-")), "file.yaml");
  writeFileSync(file, content);
  return file;
}

describe("an agents file", () => {
  test("is read in the notation of its authors", () => {
    const [agent] = readAgents(join(ROOT, "examples/agents.yaml"));

    expect(agent).toMatchObject({
      agentId: "build-iso-optimizer",
      profile: {
        capabilities: ["iso_construction", "driver_injection", "debloat"],
        sla: { successRate: 0.98, maxCost: { micros: 2_500_000n, currencyCode: "EUR" } },
        costModel: {
          base: { micros: 1_500_000n, currencyCode: "EUR" },
          perMinute: { micros: 50_000n, currencyCode: "EUR" },
          complexityMultiplier: 1.3,
        },
      },
      bid: { priceMicros: 2_300_000n, latencyMs: 1_500_000n, successRate: 0.98 },
    });
    expect(durationMs(agent?.profile.sla?.p50Latency as never)).toBe(20 * 60_000);
  });

  test("with faults is refused with all of them, each by its place", () => {
    const file = fileOf(`
agents:
  - agent_id: "no spaces, please"
    capabilities: []
    sla: { p50_latency: soon, success_rate: 1.5, max_cost: cheap }
    colour: blue
`);

    const places = [
      /agents\.0\.agent_id: must be/,
      /agents\.0\.capabilities: /,
      /agents\.0\.sla\.p50_latency: "soon"/,
      /agents\.0\.sla\.success_rate: /,
      /agents\.0\.sla\.max_cost: "cheap"/,
      /colour/,
    ];
    for (const place of places) expect(() => readAgents(file)).toThrow(place);
  });

  test("that is not there is named", () => {
    expect(() => readAgents("/no/such/file.yaml")).toThrow(/cannot read \/no\/such\/file.yaml/);
  });
});

describe("a task file", () => {
  test("is read in the notation of its authors", () => {
    expect(readTask(join(ROOT, "examples/tasks/iso-construction.yaml"))).toMatchObject({
      requester: "civic-office",
      budgetMicros: 50_000_000n,
      capability: "iso_construction",
      currency: "EUR",
      maxCostMicros: 2_500_000n,
      maxLatencyMs: 1_800_000n,
      complexity: "medium",
    });
  });

  test("without requirements names them", () => {
    const file = fileOf("requester: me\nbudget: €1\ntask_type: x\n");

    expect(() => readTask(file)).toThrow(/requirements/);
  });
});
