import { type Agent, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { BreakerState } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stateOf } from "../src/codec.ts";
import type { Listing } from "../src/listing.ts";
import { listingOf } from "../src/reading.ts";
import { wordsOf } from "../src/words.ts";
import { mapOf } from "./support/listing.ts";

type Init = MessageInitShape<typeof AgentSchema>;

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const capability = fc.stringMatching(/^[a-z0-9][a-z0-9_.:/+-]{0,20}$/);
const micros = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(0n));
const span = fc.record({
  seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
  nanos: fc.nat(999_999_999),
});
const share = fc.double({ min: 0, max: 1, noNaN: true });
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

const someProfile = fc.record({
  displayName: text,
  description: text,
  endpoint: maybe(fc.record({ uri: fc.oneof(fc.webUrl(), text), protocol: text })),
  capabilities: fc.uniqueArray(capability, { maxLength: 5 }),
  sla: maybe(fc.record({ p50Latency: maybe(span), p95Latency: maybe(span), successRate: share })),
  costModel: maybe(fc.record({ base: fc.record({ micros, currencyCode: text }) })),
  pricing: maybe(
    fc.record({
      costPerTask: maybe(fc.record({ micros, currencyCode: text })),
      billingNotes: text,
    }),
  ),
  capacityPerHour: maybe(fc.nat()),
  maxConcurrent: maybe(fc.nat()),
  autoBid: fc.boolean(),
  metadata: fc.dictionary(fc.oneof(text, fc.constant("__proto__")), text),
});

const someAgent = fc.record({
  agentId: text,
  profile: maybe(someProfile),
  availability: maybe(
    fc.record({
      state: fc.nat(5),
      inFlight: fc.nat(),
      leaseExpireTime: maybe(span),
      updateTime: maybe(span),
      inFlightTime: maybe(span),
      utilization: maybe(share),
      stale: fc.boolean(),
    }),
  ),
  reputation: maybe(
    fc.record({
      score: fc.double({ min: 0, max: 5, noNaN: true }),
      completedTasks: micros,
      reliabilities: fc.array(fc.record({ capability, mean: share, lowerBound: share })),
    }),
  ),
  createTime: maybe(span),
  etag: text,
  breakers: fc.array(fc.record({ capability, state: fc.nat(4), backoff: maybe(span) })),
}) as fc.Arbitrary<Init>;

function bytesOf(agent: Agent): string {
  return Buffer.from(toBinary(AgentSchema, agent)).toString("latin1");
}

/** The same, of the decoded agent. */
function modelOf({ agentId, profile, availability, reputation, ...agent }: Agent): Listing {
  const price = profile?.pricing?.costPerTask;
  const { state = 0, inFlightTime, updateTime, leaseExpireTime: lease } = availability ?? {};
  const reported = inFlightTime ?? updateTime;
  const p95 = profile?.sla?.p95Latency;
  return {
    agentId,
    capabilities: profile?.capabilities ?? [],
    price: price && { micros: price.micros, currency: price.currencyCode },
    state: stateOf(state),
    leaseEndMs: lease === undefined ? Infinity : timestampMs(lease),
    inFlight: availability?.inFlight ?? 0,
    reportedMs: reported === undefined ? -Infinity : timestampMs(reported),
    capacityPerHour: profile?.capacityPerHour ?? 30,
    p95LatencyMs: p95 && durationMs(p95),
    scorePpm: Math.round((reputation?.score ?? 0) * 1e6),
    reliabilityPpm: new Map(
      reputation?.reliabilities.map((each) => [each.capability, Math.round(each.lowerBound * 1e6)]),
    ),
    labels: mapOf(profile?.metadata ?? {}),
    breakers: new Map(
      agent.breakers.map((each) => {
        return [each.capability, each.state === BreakerState.HALF_OPEN ? "HALF_OPEN" : "OPEN"];
      }),
    ),
    createdMs: agent.createTime === undefined ? -Infinity : timestampMs(agent.createTime),
    words: wordsOf([
      profile?.displayName ?? "",
      ...(profile?.capabilities ?? []),
      profile?.description ?? "",
    ]),
    endpointScheme: /^([a-z][a-z0-9.+-]*):/i.exec(profile?.endpoint?.uri ?? "")?.[1]?.toLowerCase(),
  };
}

describe("a listing", () => {
  test("is read out of a message as it would be of the decoded agent", () => {
    fc.assert(
      fc.property(someAgent, (init) => {
        const agent = create(AgentSchema, init);
        const expected = modelOf(agent);

        const read = listingOf(agent.agentId, bytesOf(agent));

        expect(read).toMatchObject(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("of a message that is cut off anywhere is read to its end, or refused", () => {
    fc.assert(
      fc.property(someAgent, fc.nat(), (init, cut) => {
        const message = bytesOf(create(AgentSchema, init));

        expect(() => {
          try {
            listingOf("ada", message.slice(0, cut % (message.length + 1)));
          } catch (error) {
            if (!/^no message/.test(String((error as Error).message))) throw error;
          }
        }).not.toThrow();
      }),
    );
  });
});
