import { ReputationSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { BreakerSchema } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { initialReputation } from "@bourse/scoring";
import { toBinary } from "@bufbuild/protobuf";
import { type Agent, etagOf } from "./agent.ts";
import type { Presence } from "./availability.ts";
import { encodeBreakers } from "./breaker-codec.ts";
import type { NamedBreaker } from "./breaker-store.ts";
import { declarationOf, encodeReputation, seenAvailability } from "./codec.ts";
import { FieldWriter } from "./field-writer.ts";

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
const writer = new FieldWriter();

/** About what an agent has. */
const AGENT_BYTES = 512;

/** What most agents of a large market have. */
const INITIAL = toBinary(ReputationSchema, encodeReputation(initialReputation(), new Date(0)));

/** A response whose only field, the first, is an agent. */
export function agentAnswerBytes(told: Told): Uint8Array {
  return written(() => writeInside(told));
}

/**
 * A response whose only field, the first, is a list of agents: without what they say of themselves. Of agents that have
 * just come, the same is told but for their ids, and it is written once.
 */
export function batchAnswerBytes(all: readonly Told[]): Uint8Array {
  let last: { readonly told: Told; readonly bytes: Uint8Array } | undefined;
  const standings = all.map((told) => {
    if (last === undefined || !isToldAlike(told, last.told)) {
      last = { told, bytes: written(() => writeStanding(told)) };
    }
    return last.bytes;
  });
  return written(() => {
    all.forEach(({ agent }, nth) => {
      const from = writer.begin(1);
      writer.text(1, agent.id);
      writer.raw(standings[nth] as Uint8Array);
      writer.end(from);
    });
  });
}

/** Whether `writeStanding` writes the same of both; false also where it would take long to tell. */
function isToldAlike(one: Told, other: Told): boolean {
  const [{ agent: a }, { agent: b }] = [one, other];
  return (
    one.now === other.now &&
    one.presence === undefined &&
    other.presence === undefined &&
    one.breakers === undefined &&
    other.breakers === undefined &&
    a.profile.maxConcurrent === b.profile.maxConcurrent &&
    a.declaredState === b.declaredState &&
    a.declaredAt === b.declaredAt &&
    a.leaseMs === b.leaseMs &&
    a.reputation === b.reputation &&
    a.version === b.version &&
    a.createdAt === b.createdAt &&
    a.updatedAt === b.updatedAt &&
    a.unregisteredAt === b.unregisteredAt
  );
}

/** What an event of a watch says beside its agents. */
export interface EventFrame {
  /** In UTF-8; empty for none. */
  readonly resumeToken: Uint8Array;
  /** Since when the store of leases is away. */
  readonly staleSince: Date | undefined;
}

/** What events say that follow each other: the last of them, and those before it. */
export interface EventFrames {
  readonly usual: EventFrame;
  readonly last: EventFrame;
}

/** The events of a watch that carry an agent each. */
export function* agentEvents(all: readonly Told[], frames: EventFrames): Generator<Uint8Array> {
  for (const [nth, told] of all.entries()) {
    yield written(() => {
      writeInside(told);
      writeFrame(nth + 1 === all.length ? frames.last : frames.usual);
    });
  }
}

/** The same for agents told together: an event ends with the agent that makes it as large as `most` bytes. */
export function* agentPageEvents(
  all: readonly Told[],
  frames: EventFrames,
  most: number,
): Generator<Uint8Array> {
  let next = 0;
  while (next < all.length) {
    yield written(() => {
      const page = writer.begin(5, most);
      do {
        writeInside(all[next++] as Told);
      } while (next < all.length && writer.length < most);
      writer.end(page);
      writeFrame(next === all.length ? frames.last : frames.usual);
    });
  }
}

function writeFrame({ resumeToken, staleSince }: EventFrame): void {
  if (resumeToken.length > 0) writer.bytes(4, resumeToken);
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

/** As the first field of what is around it. */
function writeInside(told: Told): void {
  const from = writer.begin(1, AGENT_BYTES);
  writer.text(1, told.agent.id);
  writer.bytes(2, told.agent.profile.encoded);
  writeStanding(told);
  writer.end(from);
}

/** All but who it is and what it says of itself. */
function writeStanding({ agent, presence, now, breakers = [] }: Told): void {
  const availability = writer.begin(3);
  writeAvailability(agent, presence, now);
  writer.end(availability);
  writer.bytes(4, reputationBytes(agent, now));
  time(5, agent.createdAt.getTime());
  time(6, agent.updatedAt.getTime());
  if (agent.unregisteredAt !== undefined) time(7, agent.unregisteredAt.getTime());
  writer.text(8, etagOf(agent));
  if (breakers.length === 0) return;
  for (const breaker of encodeBreakers(breakers, now)) {
    writer.bytes(9, toBinary(BreakerSchema, breaker));
  }
}

function writeAvailability(agent: Agent, presence: Presence | undefined, now: Date): void {
  const seen = seenAvailability(declarationOf(agent), presence, now, agent.declaredAt);
  int(1, seen.state);
  int(2, seen.declaredState);
  int(3, seen.inFlight);
  if (seen.leaseExpireMs !== undefined) time(4, seen.leaseExpireMs);
  if (seen.heardMs !== undefined) time(5, seen.heardMs);
  int(6, seen.queueLength);
  if (seen.utilization !== undefined) writer.double(7, seen.utilization);
  int(8, seen.openSlots);
  int(9, Number(seen.isStale));
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

function int(field: number, value: number): void {
  if (value !== 0) writer.int(field, value);
}

/** A Timestamp. */
function time(field: number, ms: number): void {
  const seconds = Math.floor(ms / 1_000);
  const at = writer.begin(field);
  int(1, seconds);
  int(2, (ms - seconds * 1_000) * 1_000_000);
  writer.end(at);
}
