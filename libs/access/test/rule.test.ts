import { ruleFaults } from "@bourse/access";
import { Role } from "@bourse/proto/bourse/access/v1/access_pb.ts";
import { describe, expect, test } from "vitest";
import { deskWith, type RuleInit } from "./contract.ts";

describe("the rules of a contract", () => {
  test.each<[string, RuleInit | undefined, string]>([
    ["a method without a rule", undefined, "has no access rule"],
    ["a rule that lets nobody in", {}, "lets nobody in"],
    ["an unspecified role", { roles: [Role.UNSPECIFIED] }, "means nobody"],
    [
      "agent fields without agents",
      { roles: [Role.OPERATOR], agentFields: ["agent_id"] },
      "without ROLE_AGENT",
    ],
    [
      "agent fields beside anyone",
      { roles: [Role.AGENT, Role.ANYONE], agentFields: ["agent_id"] },
      "beside ROLE_ANYONE",
    ],
    ["services without services", { roles: [Role.AGENT], services: ["a"] }, "without ROLE_SERVICE"],
    ["an unknown field", agentsIn("agent"), "no field agent"],
    ["an unknown nested field", agentsIn("bid.price"), "no field bid.price"],
    ["a path through a text", agentsIn("agent_id.id"), "no field agent_id.id"],
    ["a path through a map", agentsIn("notes.key"), "no field notes.key"],
    ["a path that ends on a message", agentsIn("bid"), "is no string"],
    ["a path that ends on a number", agentsIn("count"), "is no string"],
    ["a path that ends on a map", agentsIn("notes"), "is no string"],
  ])("are faulty with %s", (_title, rule, fault) => {
    const faults = ruleFaults([deskWith({ Good: { roles: [Role.ANYONE] }, Bad: rule })]);

    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain("test.v1.Desk/Bad");
    expect(faults[0]).toContain(fault);
  });

  test.each([
    "agent_id",
    "agents",
    "bid.agent_id",
    "bids.agent_id",
    "buyer_id",
    "counter.agent_id",
  ])("may bind an agent to the field %s", (path) => {
    expect(ruleFaults([deskWith({ Call: agentsIn(path) })])).toEqual([]);
  });

  test("are not asked of health and reflection", () => {
    expect(ruleFaults([deskWith({ Check: undefined }, "grpc.health.v1.Health")])).toEqual([]);
    expect(ruleFaults([deskWith({ Check: undefined }, "grpc.healthy.v1.Health")])).toHaveLength(1);
  });
});

function agentsIn(path: string): RuleInit {
  return { roles: [Role.AGENT], agentFields: [path] };
}
