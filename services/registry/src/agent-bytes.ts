import { ReputationSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { BreakerSchema } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { initialReputation } from "@bourse/scoring";
import { toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Agent, etagOf } from "./agent.ts";
import type { Presence } from "./availability.ts";
import { encodeBreakers } from "./breaker-codec.ts";
import type { NamedBreaker } from "./breaker-store.ts";
import { declarationOf, encodeReputation, seenAvailability } from "./codec.ts";

// Agents go to callers in the binary form of encodeAgent's messages, written field by field: making a message of each
// and decoding its stored profile only to encode it again would be most of what an answer or a snapshot costs.

/** An agent and what it takes to tell of it at `now`. */
export interface Told {
  readonly agent: Agent;
  readonly presence: Presence | undefined;
  readonly now: Date;
  readonly breakers?: readonly NamedBreaker[];
}

/** Keeps its memory from one message to the next. */
const writer = new BinaryWriter();

/** What most agents of a large market have. */
const INITIAL = toBinary(ReputationSchema, encodeReputation(initialReputation(), new Date(0)));

/** An agent. */
export function agentBytes(told: Told): Uint8Array {
  return written(() => writeAgent(told, { withProfile: true }));
}

/** A response whose only field, the first, is an agent. */
export function agentAnswerBytes(told: Told): Uint8Array {
  return written(() => writeInside(told, { withProfile: true }));
}

/** A response whose only field, the first, is a list of agents: without what they say of themselves. */
export function batchAnswerBytes(all: readonly Told[]): Uint8Array {
  return written(() => {
    for (const told of all) writeInside(told, { withProfile: false });
  });
}

/** What an event of a watch says beside its agents. */
export interface EventFrame {
  /** In UTF-8; empty for none. */
  readonly resumeToken: Uint8Array;
  /** Since when the store of leases is away. */
  readonly staleSince: Date | undefined;
}

/** The event of a watch that carries an agent. */
export function agentEventBytes(agent: Uint8Array, frame: EventFrame): Uint8Array {
  return written(() => {
    field(1).bytes(agent);
    writeFrame(frame);
  });
}

/** The same for several agents, told together. */
export function agentPageEventBytes(agents: readonly Uint8Array[], frame: EventFrame): Uint8Array {
  return written(() => {
    field(5).fork();
    for (const agent of agents) field(1).bytes(agent);
    writer.join();
    writeFrame(frame);
  });
}

function writeFrame({ resumeToken, staleSince }: EventFrame): void {
  if (resumeToken.length > 0) field(4).bytes(resumeToken);
  if (staleSince !== undefined) time(6, staleSince.getTime());
}

function written(write: () => void): Uint8Array {
  try {
    write();
    return writer.finish();
  } catch (error) {
    // The next message must not begin with the half of this one.
    writer.finish();
    throw error;
  }
}

function writeInside(told: Told, what: { readonly withProfile: boolean }): void {
  field(1).fork();
  writeAgent(told, what);
  writer.join();
}

function writeAgent(
  { agent, presence, now, breakers = [] }: Told,
  { withProfile }: { readonly withProfile: boolean },
): void {
  field(1).string(agent.id);
  if (withProfile) field(2).bytes(agent.profile.encoded);
  field(3).fork();
  writeAvailability(agent, presence, now);
  writer.join();
  field(4).bytes(reputationBytes(agent, now));
  time(5, agent.createdAt.getTime());
  time(6, agent.updatedAt.getTime());
  if (agent.unregisteredAt !== undefined) time(7, agent.unregisteredAt.getTime());
  field(8).string(etagOf(agent));
  if (breakers.length === 0) return;
  for (const breaker of encodeBreakers(breakers, now)) {
    field(9).bytes(toBinary(BreakerSchema, breaker));
  }
}

function writeAvailability(agent: Agent, presence: Presence | undefined, now: Date): void {
  const seen = seenAvailability(declarationOf(agent), presence, now, agent.declaredAt);
  int32(1, seen.state);
  int32(2, seen.declaredState);
  int32(3, seen.inFlight);
  if (seen.leaseExpireMs !== undefined) time(4, seen.leaseExpireMs);
  if (seen.heardMs !== undefined) time(5, seen.heardMs);
  int32(6, seen.queueLength);
  if (seen.utilization !== undefined) writer.tag(7, WireType.Bit64).double(seen.utilization);
  int32(8, seen.openSlots);
  if (seen.isStale) writer.tag(9, WireType.Varint).bool(true);
  if (seen.inFlightMs > 0) time(10, seen.inFlightMs);
  // A Duration is written as a Timestamp is.
  if (seen.leaseMs !== undefined) time(11, seen.leaseMs);
}

function reputationBytes({ reputation }: Agent, now: Date): Uint8Array {
  const { completed, failed, scorePpm, evidenceByCapability } = reputation;
  const isInitial = completed === 0n && failed === 0n && scorePpm === 0n;
  if (isInitial && evidenceByCapability.size === 0) return INITIAL;
  return toBinary(ReputationSchema, encodeReputation(reputation, now));
}

/** Begins a text, bytes or a message. */
function field(number: number): BinaryWriter {
  return writer.tag(number, WireType.LengthDelimited);
}

function int32(number: number, value: number): void {
  if (value !== 0) writer.tag(number, WireType.Varint).int32(value);
}

/** A Timestamp. */
function time(number: number, ms: number): void {
  const seconds = Math.floor(ms / 1_000);
  const nanos = (ms - seconds * 1_000) * 1_000_000;
  field(number).fork();
  if (seconds !== 0) writer.tag(1, WireType.Varint).int64(seconds);
  int32(2, nanos);
  writer.join();
}
