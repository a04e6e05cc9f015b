import { AgentProfileSchema, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { applyOutcome, initialReputation } from "@bourse/scoring";
import { create, equals, fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Agent } from "../src/agent.ts";
import { agentBytes } from "../src/agent-bytes.ts";
import { encodeAgent } from "../src/codec.ts";
import { toProfile } from "../src/profile.ts";
import { anyProfile } from "./any-profile.ts";

const NOON = new Date("2026-11-20T12:00:00Z");

const worked = applyOutcome(
  initialReputation(),
  { success: true, capabilities: ["python"], estimatedLatencyMs: 5n, actualLatencyMs: 4n },
  NOON,
);

const anyAgent: fc.Arbitrary<Agent> = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  profile: anyProfile.map((profile) => toProfile(create(AgentProfileSchema, profile))),
  declaredState: fc.constantFrom("ONLINE", "BUSY", "OFFLINE", "MAINTENANCE"),
  declaredAt: fc.constant(NOON),
  leaseMs: fc.constantFrom(undefined, 60_000),
  reputation: fc.constantFrom(initialReputation(), worked),
  version: fc.bigInt(1n, 1_000_000n),
  createdAt: fc.constant(NOON),
  updatedAt: fc.constant(NOON),
  unregisteredAt: fc.constantFrom(undefined, NOON),
});

test("the bytes of an agent are those of its message", () => {
  fc.assert(
    fc.property(anyAgent, (agent) => {
      const message = encodeAgent(agent, undefined, NOON);

      const read = fromBinary(AgentSchema, agentBytes(agent, undefined, NOON, []));

      expect(equals(AgentSchema, read, message)).toBe(true);
    }),
  );
});
