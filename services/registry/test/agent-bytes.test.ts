import { AgentProfileSchema, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  type AgentPage,
  BatchRegisterAgentsResponseSchema,
  type RegisterAgentResponse,
  RegisterAgentResponseSchema,
  UnregisterAgentResponseSchema,
  UpdateAgentResponseSchema,
  WatchAgentsResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { applyOutcome, initialReputation } from "@bourse/scoring";
import { create, type DescMessage, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Agent } from "../src/agent.ts";
import {
  agentAnswerBytes,
  agentEvents,
  agentPageEvents,
  batchAnswerBytes,
  type Told,
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

interface FrameValue {
  readonly resumeToken: string;
  readonly staleSince: Date | undefined;
}

function frameOf({ resumeToken, staleSince }: FrameValue) {
  return {
    bytes: { resumeToken: Buffer.from(resumeToken), staleSince },
    rest: { resumeToken, ...(staleSince && { staleSince: timestampFromDate(staleSince) }) },
  };
}

const breaker: NamedBreaker = {
  capability: "python",
  breaker: { tallies: [], backoffMs: 0, changedMs: NOON.getTime(), reportIds: [] },
};

const anyTold: fc.Arbitrary<Told> = fc.record(
  {
    agent: anyAgent,
    presence: maybe(anyPresence),
    now: fc.constant(NOON),
    breakers: fc.constantFrom([], [breaker]),
  },
  { requiredKeys: ["agent", "presence", "now"] },
);

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

/** What is told of an agent, with one thing as it is told of another. */
function changesOf(told: Told, other: Told): readonly Partial<Told>[] {
  const names = Object.keys(told.agent) as (keyof Agent)[];
  const { presence, now, breakers = [] } = other;
  return [
    ...names.map((name) => ({ agent: { ...told.agent, [name]: other.agent[name] } })),
    { presence },
    { now },
    { breakers },
  ];
}

test("the bytes of an answer to a batch are those of its message, but for profiles", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyTold, anyTold), { maxLength: 4 }), (pairs) => {
      const schema = BatchRegisterAgentsResponseSchema;
      // Beside each stand some that are like it but for one thing.
      const all = pairs.flatMap(([told, other]) =>
        [{}, { agent: { ...told.agent, id: "another" } }, ...changesOf(told, other)].map(
          (change) => ({ ...told, ...change }),
        ),
      );
      const agents = all.map(({ agent, presence, now, breakers }) => {
        const { profile: _, ...rest } = encodeAgent(agent, presence, now, breakers);
        return rest;
      });

      const answer = fromBinary(schema, batchAnswerBytes(all));

      expect(equals(schema, answer, create(schema, { agents }))).toBe(true);
    }),
  );
});

const anyFrames = fc.record({ usual: anyFrame, last: anyFrame });

/** Frames in bytes, and what an event of a place among others says beside its agents. */
function framesOf({ usual, last }: { usual: FrameValue; last: FrameValue }) {
  return {
    bytes: { usual: frameOf(usual).bytes, last: frameOf(last).bytes },
    restOf: (nth: number, count: number) => frameOf(nth + 1 === count ? last : usual).rest,
  };
}

function messageOf({ agent, presence, now, breakers }: Told) {
  return encodeAgent(agent, presence, now, breakers);
}

test("the bytes of events are those of their messages", () => {
  fc.assert(
    fc.property(fc.array(anyTold, { maxLength: 4 }), anyFrames, (all, frames) => {
      const schema = WatchAgentsResponseSchema;
      const { bytes, restOf } = framesOf(frames);

      const events = [...agentEvents(all, bytes)].map((event) => fromBinary(schema, event));

      expect(events).toHaveLength(all.length);
      for (const [nth, told] of all.entries()) {
        const event = { case: "agent", value: messageOf(told) } as const;
        const message = create(schema, { event, ...restOf(nth, all.length) });
        expect(equals(schema, events[nth] as typeof message, message)).toBe(true);
      }
    }),
  );
});

test("the bytes of pages are those of their messages, none larger than it has to be", () => {
  const most = fc.integer({ min: 1, max: 3_000 });
  fc.assert(
    fc.property(fc.array(anyTold, { maxLength: 8 }), anyFrames, most, (all, frames, bytes) => {
      const schema = WatchAgentsResponseSchema;
      const written = framesOf(frames);

      const pages = [...agentPageEvents(all, written.bytes, bytes)];

      let next = 0;
      for (const [nth, page] of pages.entries()) {
        const event = fromBinary(schema, page);
        const { agents } = event.event.value as AgentPage;
        const some = all.slice(next, next + agents.length);
        next += agents.length;
        const message = create(schema, {
          event: { case: "agents", value: { agents: some.map(messageOf) } },
          ...written.restOf(nth, pages.length),
        });
        expect(equals(schema, event, message)).toBe(true);
        const sizes = agents.map((agent) => toBinary(AgentSchema, agent).length);
        expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(bytes);
      }
      expect(next).toBe(all.length);
    }),
  );
});

test("what cannot be written leaves nothing behind", () => {
  fc.assert(
    fc.property(anyTold, (told) => {
      const never = { ...told, agent: { ...told.agent, updatedAt: new Date(Number.NaN) } };

      expect(() => agentAnswerBytes(never)).toThrow(RangeError);

      const answer = fromBinary(UpdateAgentResponseSchema, agentAnswerBytes(told));
      expect(answer.agent && equals(AgentSchema, answer.agent, messageOf(told))).toBe(true);
    }),
    { numRuns: 10 },
  );
});
