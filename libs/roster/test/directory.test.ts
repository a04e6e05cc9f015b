import { AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDirectory } from "../src/directory.ts";
import { anAgent } from "./support/agent.ts";

const ids = fc.constantFrom("ada", "bob", "cyd");
const capabilities = fc.uniqueArray(fc.constantFrom("python", "sql", "rust"));
const step = fc.oneof(
  fc.record({ agentId: ids, capabilities }),
  fc.record({ agentId: ids, dropped: fc.constant(true as const) }),
);

describe("a directory", () => {
  test("indexes by capability exactly the agents that it holds, after any changes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const directory = createDirectory(() => new Date(0));
        const model = new Map<string, readonly string[]>();

        for (const each of steps) {
          if ("dropped" in each) {
            directory.drop(each.agentId);
            model.delete(each.agentId);
          } else {
            directory.put(create(AgentSchema, anAgent(each)));
            model.set(each.agentId, each.capabilities);
          }
        }

        for (const capability of ["python", "sql", "rust"]) {
          const expected = [...model].filter(([, has]) => has.includes(capability));
          const found = [...directory.withCapability(capability)].map((agent) => agent.agentId);
          expect(found.sort()).toEqual(expected.map(([agentId]) => agentId).sort());
          expect(directory.countOf(capability)).toBe(expected.length);
        }
        expect(directory.size).toBe(model.size);
        expect(new Set(directory.capabilities())).toEqual(new Set([...model.values()].flat()));
      }),
    );
  });
});
