import { AgentProfileSchema, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  BatchRegisterAgentsResponseSchema,
  type RegisterAgentResponse,
  RegisterAgentResponseSchema,
  UnregisterAgentResponseSchema,
  UpdateAgentResponseSchema,
  WatchAgentsResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { applyOutcome, initialReputation } from "@bourse/scoring";
import { create, type DescMessage, equals, fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Agent } from "../src/agent.ts";
import {
  agentAnswerBytes,
  agentBytes,
  agentEventBytes,
  agentPageEventBytes,
  batchAnswerBytes,
} from "../src/agent-bytes.ts";
import type { Presence } from "../src/availability.ts";
import type { NamedBreaker } from "../src/breaker-store.ts";
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

const anyTime = fc.date({ min: new Date(-1e12), max: new Date(4e12), noInvalidDate: true });
const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });

const anyPresence: fc.Arbitrary<Presence> = fc.record({
  reported: fc.record({
    inFlight: fc.nat(1_000_000),
    queueLength: fc.nat(1_000_000),
    utilizationPpm: maybe(fc.nat(1_000_000)),
  }),
  openSlots: fc.nat(10_000),
  slotsChangedAt: maybe(anyTime),
  heardAt: maybe(anyTime),
  leaseExpireAt: maybe(anyTime),
});

const anyFrame = fc.record({ resumeToken: fc.string(), staleSince: maybe(anyTime) });

function frameOf({
  resumeToken,
  staleSince,
}: {
  resumeToken: string;
  staleSince: Date | undefined;
}) {
  return {
    bytes: { resumeToken: Buffer.from(resumeToken), staleSince },
    rest: { resumeToken, ...(staleSince && { staleSince: timestampFromDate(staleSince) }) },
  };
}

const breaker: NamedBreaker = {
  capability: "python",
  breaker: { tallies: [], backoffMs: 0, changedMs: NOON.getTime(), reportIds: [] },
};

const anyTold = fc.record({
  agent: anyAgent,
  presence: maybe(anyPresence),
  now: fc.constant(NOON),
  breakers: fc.constantFrom([], [breaker]),
});

test("the bytes of an agent are those of its message", () => {
  fc.assert(
    fc.property(anyTold, (told) => {
      const { agent, presence, now, breakers } = told;
      const message = encodeAgent(agent, presence, now, breakers);

      const read = fromBinary(AgentSchema, agentBytes(told));

      expect(equals(AgentSchema, read, message)).toBe(true);
    }),
  );
});

test("the bytes of an answer are those of its message", () => {
  fc.assert(
    fc.property(anyTold, (told) => {
      const { agent, presence, now, breakers } = told;
      const message = encodeAgent(agent, presence, now, breakers);

      const bytes = agentAnswerBytes(told);

      for (const schema of [
        RegisterAgentResponseSchema,
        UpdateAgentResponseSchema,
        UnregisterAgentResponseSchema,
      ]) {
        const answer = fromBinary<DescMessage>(schema, bytes) as RegisterAgentResponse;
        expect(answer.agent && equals(AgentSchema, answer.agent, message)).toBe(true);
      }
    }),
  );
});

test("the bytes of an answer to a batch are those of its message, but for profiles", () => {
  fc.assert(
    fc.property(fc.array(anyTold, { maxLength: 4 }), (all) => {
      const schema = BatchRegisterAgentsResponseSchema;
      const agents = all.map(({ agent, presence, now, breakers }) => {
        const { profile: _, ...rest } = encodeAgent(agent, presence, now, breakers);
        return rest;
      });

      const answer = fromBinary(schema, batchAnswerBytes(all));

      expect(equals(schema, answer, create(schema, { agents }))).toBe(true);
    }),
  );
});

test("the bytes of an event are those of its message", () => {
  fc.assert(
    fc.property(anyTold, anyFrame, (told, frame) => {
      const schema = WatchAgentsResponseSchema;
      const agent = agentBytes(told);

      const event = fromBinary(schema, agentEventBytes(agent, frameOf(frame).bytes));

      const value = fromBinary(AgentSchema, agent);
      const message = create(schema, { event: { case: "agent", value }, ...frameOf(frame).rest });
      expect(equals(schema, event, message)).toBe(true);
    }),
  );
});

test("the bytes of a page are those of its message", () => {
  fc.assert(
    fc.property(fc.array(anyTold, { maxLength: 4 }), anyFrame, (all, frame) => {
      const schema = WatchAgentsResponseSchema;
      const agents = all.map(agentBytes);

      const event = fromBinary(schema, agentPageEventBytes(agents, frameOf(frame).bytes));

      const value = { agents: agents.map((agent) => fromBinary(AgentSchema, agent)) };
      const message = create(schema, { event: { case: "agents", value }, ...frameOf(frame).rest });
      expect(equals(schema, event, message)).toBe(true);
    }),
  );
});
