import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type {
  KeepAliveRequestSchema,
  KeepAliveResponse,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { streamed } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { AvailabilityStore } from "../src/availability-store.ts";
import { createMemoryAvailability } from "../src/memory.ts";
import { registryForFile } from "./opened.ts";
import { refused } from "./refused.ts";
import { aClock, anId, aProfile, type Registry } from "./registry.ts";

const { ONLINE, BUSY, OFFLINE, MAINTENANCE } = AvailabilityState;
const MINUTE = { seconds: 60n };

type Message = MessageInitShape<typeof KeepAliveRequestSchema>;

const clock = aClock();
const leases = aLeaseStore();
const { registry } = await registryForFile({ now: clock.now, availability: leases.store });

/** A store of leases that can be taken away. */
function aLeaseStore() {
  const memory = createMemoryAvailability({ now: clock.now });
  const away = { is: false };
  const store: AvailabilityStore = {
    ...memory,
    async beat(beat) {
      if (away.is) throw new Rejection("AVAILABILITY_UNAVAILABLE", "away");
      return memory.beat(beat);
    },
  };
  return { store, away };
}

async function anAgent(): Promise<string> {
  const agentId = anId();
  await registry.operator.registerAgent({ agentId, profile: aProfile({ maxConcurrent: 2 }) });
  return agentId;
}

async function availabilityOf(agentId: string) {
  return (await registry.operator.getAgent({ agentId })).agent?.availability;
}

/** A stream to write on, message by message. */
function aStream(caller: Registry) {
  const waiting: PromiseWithResolvers<Message | undefined>[] = [Promise.withResolvers()];
  async function* messages() {
    for (;;) {
      const message = await waiting[0]?.promise;
      waiting.shift();
      if (message === undefined) return;
      yield message;
    }
  }
  const leaving = new AbortController();
  const answers = streamed((signal) => caller.keepAlive(messages(), { signal }), leaving.signal);
  const iterator = answers[Symbol.asyncIterator]();
  const put = (message: Message | undefined) => {
    waiting.at(-1)?.resolve(message);
    waiting.push(Promise.withResolvers());
  };
  return {
    async send(message: Message): Promise<KeepAliveResponse> {
      put(message);
      const { value } = await iterator.next();
      return value as KeepAliveResponse;
    },
    end: async () => {
      put(undefined);
      return (await iterator.next()).done;
    },
    leave: () => leaving.abort(),
  };
}

describe("KeepAlive", () => {
  test("is answered message by message with what has become of the agent", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.as(`agent:${agentId}`));

    const first = await stream.send({ agentId, lease: MINUTE, inFlight: 1, queueLength: 4 });
    const second = await stream.send({ agentId, inFlight: 2, utilization: 0.75 });

    expect(first.nextMessageIn && durationMs(first.nextMessageIn)).toBe(20_000);
    expect(first.availability).toMatchObject({ state: ONLINE, inFlight: 1, queueLength: 4 });
    expect(second.availability).toMatchObject({
      state: BUSY,
      inFlight: 2,
      queueLength: 4,
      utilization: 0.75,
      stale: false,
    });
    expect(await availabilityOf(agentId)).toEqual(second.availability);
    expect(await stream.end()).toBe(true);
  });

  test("that breaks ends no lease, which lapses in its time", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);
    await stream.send({ agentId, lease: MINUTE, inFlight: 1 });

    stream.leave();

    expect(await availabilityOf(agentId)).toMatchObject({ state: ONLINE, inFlight: 1 });
    clock.forward(60_001);
    expect(await availabilityOf(agentId)).toMatchObject({ state: OFFLINE, inFlight: 0 });
  });

  test("declares another state", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);
    await stream.send({ agentId, lease: MINUTE });

    const answer = await stream.send({ agentId, declaredState: MAINTENANCE });
    await stream.send({ agentId });

    expect(answer.availability?.state).toBe(MAINTENANCE);
    expect((await availabilityOf(agentId))?.declaredState).toBe(MAINTENANCE);
    await stream.end();
  });

  test("notices what a heartbeat declares meanwhile", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);
    await stream.send({ agentId, lease: MINUTE });

    await registry.operator.heartbeat({ agentId, lease: { seconds: 30n } });
    const { nextMessageIn } = await stream.send({ agentId });

    expect(nextMessageIn && durationMs(nextMessageIn)).toBe(10_000);
    await stream.end();
  });

  test("goes on while the store of leases is away, and says what was not written down", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);
    await stream.send({ agentId, lease: MINUTE, inFlight: 1 });

    leases.away.is = true;
    const unwritten = await stream.send({ agentId, inFlight: 0, declaredState: MAINTENANCE });
    leases.away.is = false;
    const written = await stream.send({ agentId, inFlight: 0 });

    expect(unwritten.availability).toMatchObject({ stale: true, state: ONLINE, inFlight: 1 });
    expect(unwritten.nextMessageIn && durationMs(unwritten.nextMessageIn)).toBe(5_000);
    expect(written.availability).toMatchObject({ stale: false, state: ONLINE, inFlight: 0 });
    await stream.end();
  });

  test("of an agent that leaves ends with AGENT_NOT_FOUND", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);
    await stream.send({ agentId, lease: MINUTE });

    await registry.operator.unregisterAgent({ agentId });

    expect(await refused(stream.send({ agentId }))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });

  test("of one agent cannot go on as another's", async () => {
    const [agentId, other] = [await anAgent(), await anAgent()];
    const stream = aStream(registry.operator);
    await stream.send({ agentId });

    const refusal = await refused(stream.send({ agentId: other }));

    expect(refusal).toMatchObject({ reason: "AGENT_CHANGED", fields: ["agent_id"] });
  });

  test.each([
    { field: "in_flight", message: { inFlight: -1 } },
    { field: "queue_length", message: { queueLength: 1_000_001 } },
    { field: "utilization", message: { utilization: 1.5 } },
    { field: "utilization", message: { utilization: Number.NaN } },
  ])("with a wrong $field is refused with INVALID_REQUEST", async ({ field, message }) => {
    const agentId = await anAgent();
    const stream = aStream(registry.operator);

    const refusal = await refused(stream.send({ agentId, ...message }));

    expect(refusal).toMatchObject({ reason: "INVALID_REQUEST", fields: [field] });
  });

  test("of another agent is refused with PERMISSION_DENIED", async () => {
    const agentId = await anAgent();
    const stream = aStream(registry.as(`agent:${anId()}`));

    expect(await refused(stream.send({ agentId }))).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});
