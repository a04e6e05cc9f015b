import {
  type Agent,
  AgentSchema,
  AvailabilityState,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDirectory, Told } from "../src/directory.ts";
import { anAgent } from "./support/agent.ts";

const ids = fc.constantFrom("ada", "bob", "cyd");
const capabilities = fc.uniqueArray(fc.constantFrom("python", "sql", "rust"));
const step = fc.oneof(
  fc.record({ agentId: ids, capabilities }),
  fc.record({ agentId: ids, dropped: fc.constant(true as const) }),
);

function told(agent: Agent) {
  return new Told(Buffer.from(toBinary(AgentSchema, agent)).toString("latin1"));
}

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
            directory.put(told(create(AgentSchema, anAgent(each))));
            model.set(each.agentId, each.capabilities);
          }
        }

        for (const capability of ["python", "sql", "rust"]) {
          const expected = [...model].filter(([, has]) => has.includes(capability));
          const found = [...directory.withCapability(capability)].map((agent) => agent.agentId);
          expect(found.sort()).toEqual(expected.map(([agentId]) => agentId).sort());
        }
        expect(directory.size).toBe(model.size);
        expect([...directory.agents()].map(({ agentId }) => agentId).sort()).toEqual(
          [...model.keys()].sort(),
        );
      }),
    );
  });

  test("keeps each agent in a slot of its own, which is given on only when it goes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const directory = createDirectory(
          () => new Date(0),
          () => [],
        );
        const slots = new Map<string, number>();

        for (const each of steps) {
          if ("dropped" in each) {
            expect(directory.drop(each.agentId)?.slot).toBe(slots.get(each.agentId));
            slots.delete(each.agentId);
          } else {
            const { slot } = directory.put(told(create(AgentSchema, anAgent(each))));
            expect(slots.get(each.agentId) ?? slot).toBe(slot);
            slots.set(each.agentId, slot);
          }
          expect(new Set(slots.values()).size).toBe(slots.size);
        }

        for (const [agentId, slot] of slots) {
          expect(directory.slotOf(agentId)).toBe(slot);
          expect(slot).toBeLessThan(3);
        }
      }),
    );
  });

  test("gives the message of an agent as it came, and as a lapsed lease makes it", () => {
    const clock = { now: new Date(0) };
    const directory = createDirectory(() => clock.now);
    const agent = create(AgentSchema, anAgent({ leaseExpires: new Date(1_000) }));
    const { slot } = directory.put(told(agent));
    const read = () => fromBinary(AgentSchema, Buffer.from(directory.messageAt(slot), "latin1"));

    expect(read()).toEqual(agent);
    clock.now = new Date(1_000);

    expect(read()).toEqual(directory.get("ada"));
    expect(read().availability?.state).toBe(AvailabilityState.OFFLINE);
  });

  test("reads again what it has decoded and forgotten", () => {
    const directory = createDirectory(
      () => new Date(0),
      () => [],
    );
    const ids = Array.from({ length: 2_000 }, (_, index) => `agent-${index}`);
    for (const agentId of ids) directory.put(told(create(AgentSchema, anAgent({ agentId }))));

    expect(Array.from(directory.agents(), ({ agentId }) => agentId)).toEqual(ids);
    directory.put(told(create(AgentSchema, anAgent({ agentId: "agent-7", capabilities: [] }))));
    expect(directory.get("agent-7")?.profile?.capabilities).toEqual([]);
    expect([...directory.withCapability("python")]).toEqual([]);
  });
});
