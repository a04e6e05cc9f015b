import {
  CandidateSchema,
  SearchAgentsResponseSchema,
  SelectAgentResponseSchema,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AgentSchema, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidateOf, searched, selected } from "../src/answer.ts";

const option = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const text = fc.string({ unit: "grapheme", maxLength: 300 });
const money = fc.record({ micros: fc.bigInt({ min: 0n, max: 2n ** 60n }), currencyCode: text });
const someAgent = fc
  .record({
    agentId: text,
    profile: option(
      fc.record({
        displayName: text,
        endpoint: option(fc.record({ uri: text, protocol: text })),
        capabilities: fc.array(text),
        pricing: option(fc.record({ costPerTask: option(money), billingNotes: text })),
        capacityPerHour: option(fc.nat()),
      }),
    ),
    reputation: option(
      fc.record({ score: fc.double(), completedTasks: fc.bigInt({ min: 0n, max: 9n }) }),
    ),
    createTime: option(fc.nat().map(timestampFromMs)),
  })
  .map((agent) => create(AgentSchema, withoutUndefined(agent)));

function withoutUndefined<T>(value: T): T {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.map(([name, each]) => [name, withoutUndefined(each)])) as T;
}

const wire = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytes = (message: string): Buffer => Buffer.from(message, "latin1");

describe("a candidate", () => {
  test("is cut out of an agent's message as if it had been decoded", () => {
    fc.assert(
      fc.property(someAgent, (agent) => {
        const candidate = fromBinary(
          CandidateSchema,
          bytes(candidateOf(wire(toBinary(AgentSchema, agent)))),
        );

        const { agentId, profile } = agent;
        expect(candidate.agentId).toBe(agentId);
        expect(candidate.endpoint).toEqual(profile?.endpoint);
        expect(candidate.costPerTask).toEqual(profile?.pricing?.costPerTask);
      }),
    );
  });

  test("is put together when its parts come apart, as messages merge", () => {
    const whole = {
      agentId: "ada",
      profile: { endpoint: { uri: "grpc://ada", protocol: "grpc" } },
    };
    const parts = [
      { agentId: "ada", profile: { endpoint: { uri: "grpc://ada" } } },
      { availability: { state: AvailabilityState.OFFLINE } },
      { profile: { endpoint: { protocol: "grpc" } } },
    ];
    const encode = (agent: MessageInitShape<typeof AgentSchema>) =>
      wire(toBinary(AgentSchema, create(AgentSchema, agent)));

    const candidate = candidateOf(parts.map(encode).join(""));

    expect(fromBinary(CandidateSchema, bytes(candidate))).toEqual(
      fromBinary(CandidateSchema, bytes(candidateOf(encode(whole)))),
    );
  });
});

describe("an answer", () => {
  test("says what else there is to say as if it had been encoded with the rest", () => {
    const slot = option(fc.record({ slotId: text }));
    const said = fc.record({
      reason: text,
      eligibleCount: fc.nat(2 ** 31 - 1),
      isEstimate: fc.boolean(),
      slot,
      stale: option(fc.boolean()),
    });
    fc.assert(
      fc.property(someAgent, said, (agent, { reason, eligibleCount, isEstimate, slot, stale }) => {
        const chosen = wire(toBinary(AgentSchema, agent));
        const picked = {
          agentId: agent.agentId,
          chosen,
          alternates: [chosen],
          reason,
          eligibleCount,
          isEstimate,
        };

        const answer = selected(picked, {
          ...(slot && { slot }),
          ...(stale !== undefined && { stale }),
        });

        const { bytes: sent } = answer as unknown as { readonly bytes: Uint8Array };
        const counted = { eligibleAgents: eligibleCount, eligibleIsEstimate: isEstimate };
        const expected = { reason, ...counted, stale: stale ?? false, ...(slot && { slot }) };
        expect(fromBinary(SelectAgentResponseSchema, sent)).toMatchObject(expected);
      }),
    );
  });

  test("counts beyond 32 bits", () => {
    const answer = searched([], [], {
      totalSize: 2n ** 40n,
      nextPageToken: "",
      totalIsEstimate: true,
    });

    const { bytes: sent } = answer as unknown as { readonly bytes: Uint8Array };
    expect(fromBinary(SearchAgentsResponseSchema, sent).totalSize).toBe(2n ** 40n);
  });
});
