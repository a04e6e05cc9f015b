import {
  type AgentProfile,
  AgentProfileSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { clone, create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { merge, readMask } from "../src/update-mask.ts";

type Init = Exclude<MessageInitShape<typeof AgentProfileSchema>, AgentProfile>;

const eur = (micros: bigint) => ({ micros, currencyCode: "EUR" });

const FULL: Init = {
  displayName: "Ada",
  description: "reads",
  capabilities: ["ocr", "python"],
  sla: { successRate: 0.9, p50Latency: { seconds: 60n } },
  pricing: { costPerTask: eur(1n), billingNotes: "monthly" },
  capacityPerHour: 12,
  autoBid: true,
  metadata: { team: "blue", zone: "eu" },
};

function merged(current: Init, update: Init | undefined, ...paths: string[]): AgentProfile {
  return merge(
    create(AgentProfileSchema, current),
    update && create(AgentProfileSchema, update),
    readMask(paths),
  );
}

describe("an update", () => {
  test.each<{ title: string; paths: string[]; update: Init | undefined; changes: Init }>([
    {
      title: "a scalar",
      paths: ["description"],
      update: { description: "x" },
      changes: { description: "x" },
    },
    {
      title: "a list as a whole",
      paths: ["capabilities"],
      update: { capabilities: ["c"] },
      changes: { capabilities: ["c"] },
    },
    {
      title: "a map as a whole",
      paths: ["metadata"],
      update: { metadata: { team: "red" } },
      changes: { metadata: { team: "red" } },
    },
    {
      title: "a message as a whole",
      paths: ["sla"],
      update: { sla: { successRate: 0.5 } },
      changes: { sla: { successRate: 0.5 } },
    },
    {
      title: "a field within a message",
      paths: ["sla.success_rate"],
      update: { sla: { successRate: 0.5, p50Latency: { seconds: 1n } } },
      changes: { sla: { successRate: 0.5, p50Latency: { seconds: 60n } } },
    },
    {
      title: "a field two levels down",
      paths: ["pricing.cost_per_task.micros"],
      update: { pricing: { costPerTask: eur(7n) } },
      changes: { pricing: { costPerTask: eur(7n), billingNotes: "monthly" } },
    },
    {
      title: "a field of a message that was not there",
      paths: ["endpoint.uri"],
      update: { endpoint: { uri: "http://a" } },
      changes: { endpoint: { uri: "http://a" } },
    },
    {
      title: "several fields",
      paths: ["auto_bid", "display_name"],
      update: { displayName: "B" },
      changes: { displayName: "B", autoBid: false },
    },
  ])("replaces $title and nothing else", ({ paths, update, changes }) => {
    const after = merged(FULL, update, ...paths);

    expect(after).toEqual(create(AgentProfileSchema, { ...FULL, ...changes }));
  });

  test.each([
    { path: "capacity_per_hour", left: { capacityPerHour: undefined } },
    { path: "sla", left: { sla: undefined } },
    { path: "metadata", left: { metadata: {} } },
    { path: "sla.success_rate", left: { sla: { p50Latency: { seconds: 60n } } } },
  ])("clears $path where it is unset", ({ path, left }) => {
    const expected = create(AgentProfileSchema, { ...FULL, ...left } as Init);

    expect(merged(FULL, undefined, path)).toEqual(expected);
    expect(merged(FULL, {}, path)).toEqual(expected);
  });

  test("makes no message only to clear a field of it", () => {
    expect(merged({}, {}, "endpoint.uri").endpoint).toBeUndefined();
  });

  test.each([
    "nope",
    "agent_id",
    "displayName",
    "sla.nope",
    "metadata.team",
    "capabilities.0",
    "display_name.x",
    "",
    "*",
  ])("of '%s' is refused with UNKNOWN_FIELD", (path) => {
    expect(() => readMask(["description", path])).toThrow(
      expect.objectContaining({
        reason: "UNKNOWN_FIELD",
        faults: [expect.objectContaining({ field: "update_mask.paths[1]" })],
      }),
    );
  });

  test("takes each top-level field from the update if it is named, and else from the agent", () => {
    const profile = fc.record({
      displayName: fc.string(),
      capabilities: fc.array(fc.string()),
      capacityPerHour: fc.option(fc.nat(), { nil: undefined }),
      autoBid: fc.boolean(),
      metadata: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string()),
      pricing: fc.option(fc.record({ costPerTask: fc.record({ micros: fc.bigInt(0n, 99n) }) }), {
        nil: undefined,
      }),
    });
    const names = {
      display_name: "displayName",
      capabilities: "capabilities",
      capacity_per_hour: "capacityPerHour",
      auto_bid: "autoBid",
      metadata: "metadata",
      pricing: "pricing",
    } as const;
    const paths = fc.subarray(Object.keys(names) as (keyof typeof names)[]);
    fc.assert(
      fc.property(profile, profile, paths, (before, update, mask) => {
        const current = create(AgentProfileSchema, before as Init);
        const source = create(AgentProfileSchema, update as Init);
        const kept = clone(AgentProfileSchema, source);

        const after = merge(clone(AgentProfileSchema, current), source, readMask(mask));

        for (const [path, name] of Object.entries(names)) {
          const from = mask.includes(path as keyof typeof names) ? source : current;
          expect(after[name]).toEqual(from[name]);
        }
        expect(equals(AgentProfileSchema, source, kept)).toBe(true);
      }),
    );
  });
});
