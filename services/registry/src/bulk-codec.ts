import {
  AgentRecordSchema,
  ExportAgentsResponseSchema,
  type ImportAgentsResponseSchema,
  type AgentRecord as RecordMessage,
} from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { faultsIn } from "@bourse/rpc";
import type { Fault } from "@bourse/rpc/rejection";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Agent } from "./agent.ts";
import { type AgentRecord, duplicate, type Refused, type Ruling, type Tally } from "./bulk.ts";
import { decodeMs, decodeState, encodeState } from "./codec.ts";
import { isFarTooLong, toldFaults, toProfile } from "./profile.ts";

/** An agent of an import, or why it can be none. */
export type ReadRecord = AgentRecord | Refused;

/** Reads the agents of one message; of an id that stands twice the first counts. */
export function readRecords(messages: readonly RecordMessage[]): readonly ReadRecord[] {
  const seen = new Set<string>();
  const refused = messages.map((message): Refused | undefined => {
    const { agentId, profile } = message;
    const faults = recordFaults(message);
    if (faults.length > 0 || profile === undefined) return { kind: "refused", faults };
    if (seen.has(agentId)) return duplicate(agentId);
    seen.add(agentId);
    return undefined;
  });
  return messages.map((message, nth) => refused[nth] ?? recordOf(message));
}

function recordOf(message: RecordMessage): AgentRecord {
  const { profile } = message;
  if (profile === undefined) throw new Error("a record that is not refused has a profile");
  const leaseMs = decodeMs(message.lease);
  return {
    agentId: message.agentId,
    profile: toProfile(profile),
    declaredState: decodeState(message.declaredState),
    leaseMs: leaseMs === undefined ? undefined : Number(leaseMs),
  };
}

function recordFaults(message: RecordMessage): readonly Fault[] {
  const { profile } = message;
  const first = profile !== undefined && isFarTooLong(profile);
  return [...faultsIn(AgentRecordSchema, message, { first }), ...toldFaults(profile)];
}

/** Faults that one answer tells, and characters of what a caller sent. */
const FAULTS_MAX = 1_000;
const ID_MAX = 64;

/** How far an import is, with the faults of the message whose first agent is the `from`th of the stream. */
export function encodeProgress(
  tally: Tally,
  rulings: readonly Ruling[],
  messages: readonly RecordMessage[],
  from: number,
): MessageInitShape<typeof ImportAgentsResponseSchema> {
  const faults = rulings.flatMap((ruling, nth) => {
    if (ruling.kind !== "refused") return [];
    const agentId = messages[nth]?.agentId.slice(0, ID_MAX).toWellFormed() ?? "";
    return ruling.faults.map((fault) => ({ ...fault, index: BigInt(from + nth), agentId }));
  });
  return {
    agents: BigInt(tally.agents),
    registeredAgents: BigInt(tally.new),
    replacedAgents: BigInt(tally.replaced),
    returnedAgents: BigInt(tally.returned),
    unchangedAgents: BigInt(tally.unchanged),
    refusedAgents: BigInt(tally.refused),
    faults: faults.slice(0, FAULTS_MAX),
    omittedFaults: BigInt(Math.max(0, faults.length - FAULTS_MAX)),
  };
}

/** A message of an export is ended when it has this many bytes. */
const MESSAGE_BYTES = 256 * 1024;

/** Answers of an export with these agents, from their stored form. */
export function encodeExport(agents: readonly Agent[]): Uint8Array[] {
  const answers: Uint8Array[] = [];
  let writer = new BinaryWriter();
  let bytes = 0;
  for (const [nth, agent] of agents.entries()) {
    const record = encodeRecord(agent);
    writer.tag(ANSWER.agents.number, WireType.LengthDelimited).bytes(record);
    bytes += record.length;
    if (bytes < MESSAGE_BYTES && nth < agents.length - 1) continue;
    writer.tag(ANSWER.resumeAfter.number, WireType.LengthDelimited).string(agent.id);
    answers.push(writer.finish());
    writer = new BinaryWriter();
    bytes = 0;
  }
  return answers;
}

const ANSWER = ExportAgentsResponseSchema.field;
const RECORD = AgentRecordSchema.field;

/** ONLINE is what a new agent declares that says nothing. */
function encodeRecord({ id, profile, declaredState, leaseMs }: Agent): Uint8Array {
  const rest = create(AgentRecordSchema, {
    ...(declaredState !== "ONLINE" && { declaredState: encodeState(declaredState) }),
    ...(leaseMs !== undefined && { lease: durationFromMs(leaseMs) }),
  });
  return new BinaryWriter()
    .tag(RECORD.agentId.number, WireType.LengthDelimited)
    .string(id)
    .tag(RECORD.profile.number, WireType.LengthDelimited)
    .bytes(profile.encoded)
    .raw(toBinary(AgentRecordSchema, rest))
    .finish();
}
