import { AgentSchema, ReputationSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { WatchAgentsResponseSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { initialReputation } from "@bourse/scoring";
import { toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { Agent } from "./agent.ts";
import type { Presence } from "./availability.ts";
import type { NamedBreaker } from "./breaker-store.ts";
import { encodeReputation, encodeRest } from "./codec.ts";

const AGENT = AgentSchema.field;
const WATCHED = WatchAgentsResponseSchema.field;

/** What most agents of a large market have. */
const INITIAL = toBinary(ReputationSchema, encodeReputation(initialReputation(), new Date(0)));

/**
 * The binary form of what encodeAgent makes, its profile taken from its stored form: decoding that to encode it again
 * is most of what a snapshot would cost.
 */
export function agentBytes(
  agent: Agent,
  presence: Presence | undefined,
  now: Date,
  breakers: readonly NamedBreaker[],
): Uint8Array {
  const rest = toBinary(AgentSchema, encodeRest(agent, presence, now, breakers));
  return withFields(rest, [
    [AGENT.profile.number, agent.profile.encoded],
    [AGENT.reputation.number, reputationBytes(agent, now)],
  ]);
}

function reputationBytes({ reputation }: Agent, now: Date): Uint8Array {
  const { completed, failed, scorePpm, evidenceByCapability } = reputation;
  const isInitial = completed === 0n && failed === 0n && scorePpm === 0n;
  if (isInitial && evidenceByCapability.size === 0) return INITIAL;
  return toBinary(ReputationSchema, encodeReputation(reputation, now));
}

/** The binary form of the event that carries an agent; `resumeToken` is in UTF-8, and empty for none. */
export function agentEventBytes(agent: Uint8Array, resumeToken: Uint8Array): Uint8Array {
  const fields: Field[] = [[WATCHED.agent.number, agent]];
  if (resumeToken.length > 0) fields.push([WATCHED.resumeToken.number, resumeToken]);
  return withFields(NOTHING, fields);
}

/** The binary form of an answer that holds an agent, and nothing else. */
export function agentAnswerBytes(
  schema: { readonly field: { readonly agent: { readonly number: number } } },
  agent: Agent,
  presence: Presence | undefined,
  now: Date,
): Uint8Array {
  return withFields(NOTHING, [[schema.field.agent.number, agentBytes(agent, presence, now, [])]]);
}

type Field = readonly [number: number, bytes: Uint8Array];

const NOTHING = new Uint8Array();

/** A message with more fields that are bytes, texts or messages. */
function withFields(message: Uint8Array, fields: readonly Field[]): Uint8Array {
  const size = fields.reduce(
    (sum, [, { length }]) => sum + 1 + varintSize(length) + length,
    message.length,
  );
  const out = Buffer.allocUnsafe(size);
  out.set(message, 0);
  let at = message.length;
  for (const [number, bytes] of fields) {
    // Numbers up to 15 take one byte with their type.
    out[at++] = (number << 3) | WireType.LengthDelimited;
    let rest = bytes.length;
    for (; rest > 127; rest >>>= 7) out[at++] = (rest & 127) | 128;
    out[at++] = rest;
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

function varintSize(value: number): number {
  return value < 128 ? 1 : 1 + varintSize(value >>> 7);
}
