import { AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { briefOf } from "../src/brief.ts";

const moment = fc.option(
  fc.record({
    seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    nanos: fc.nat(999_999_999),
  }),
  { nil: undefined },
);
const text = fc.string({ unit: "grapheme" });

const someAgent = fc.record({
  agentId: text,
  profile: fc.record({ displayName: text, metadata: fc.dictionary(text, text) }),
  availability: fc.option(
    fc.record({ inFlight: fc.nat(), leaseExpireTime: moment, lease: moment, stale: fc.boolean() }),
    { nil: undefined },
  ),
  reputation: fc.record({ score: fc.double(), completedTasks: fc.bigInt({ min: 0n, max: 9n }) }),
  unregisterTime: moment,
  etag: text,
}) as fc.Arbitrary<MessageInitShape<typeof AgentSchema>>;

test("what a roster must know of an agent is read out of its message as it would be of the decoded agent", () => {
  fc.assert(
    fc.property(someAgent, (init) => {
      const agent = create(AgentSchema, init);
      const { leaseExpireTime, lease, stale } = agent.availability ?? {};

      const message = Buffer.from(toBinary(AgentSchema, agent)).toString("latin1");

      expect(briefOf(message)).toEqual({
        agentId: agent.agentId,
        isGone: agent.unregisterTime !== undefined,
        lapseMs: leaseExpireTime === undefined ? Infinity : timestampMs(leaseExpireTime),
        lengthMs: lease === undefined ? 0 : durationMs(lease),
        isStale: stale ?? false,
      });
    }),
  );
});
