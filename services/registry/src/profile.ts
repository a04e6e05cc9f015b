import {
  type AgentProfile,
  AgentProfileSchema,
  type Sla,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { faultsIn, keepBytes } from "@bourse/rpc";
import { type Fault, Rejection } from "@bourse/rpc/rejection";
import { personalDataFaults } from "@bourse/service/personal-data";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Profile, StoredProfile } from "./agent.ts";
import { normalizeCapabilities } from "./capability.ts";
import { withCapabilities } from "./profile-bytes.ts";
import type { Reason } from "./reasons.ts";

/** Tasks at once when a profile names no number. */
const DEFAULT_MAX_CONCURRENT = 3;

const bytesOf = keepBytes(AgentProfileSchema);

/**
 * A profile as the store keeps it, its capabilities normalised, its labels sorted. What the contract does not know is
 * left out: no rule bounds it, and one agent that fills a message would break the stream of every watcher. Latencies
 * are written in their one proper form: JSON has no other. The message is left as it is, and its bytes are taken as
 * they came where they can be.
 */
export function toProfile(message: AgentProfile): Profile {
  const { maxConcurrent = DEFAULT_MAX_CONCURRENT } = message;
  const capabilities = normalizeCapabilities(message.capabilities);
  const metadata = sorted(message.metadata);
  const sla = message.sla && properSla(message.sla);
  const came = bytesOf(message);
  if (came !== undefined && metadata === message.metadata && sla === message.sla) {
    const isNormal = capabilities === message.capabilities;
    const encoded = isNormal ? came : withCapabilities(came, capabilities);
    return { capabilities, metadata, maxConcurrent, encoded };
  }
  const proper = { ...message, capabilities: [...capabilities], metadata, ...(sla && { sla }) };
  const encoded = toBinary(AgentProfileSchema, proper, { writeUnknownFields: false });
  return { capabilities, metadata, maxConcurrent, encoded };
}

/** Labels in one order, so that equal profiles are equal bytes: writers of maps use any. */
function sorted(labels: Record<string, string>): Record<string, string> {
  const names = Object.keys(labels);
  if (names.every((name, nth) => nth === 0 || (names[nth - 1] ?? "") < name)) return labels;
  return Object.fromEntries(names.sort().map((name) => [name, labels[name] ?? ""]));
}

function properSla(sla: Sla): Sla {
  const { p50Latency, p95Latency, p99Latency } = sla;
  if ([p50Latency, p95Latency, p99Latency].every(isProper)) return sla;
  return {
    ...sla,
    ...(p50Latency && { p50Latency: proper(p50Latency) }),
    ...(p95Latency && { p95Latency: proper(p95Latency) }),
    ...(p99Latency && { p99Latency: proper(p99Latency) }),
  };
}

function isProper(duration: Duration | undefined): boolean {
  return duration === undefined || (duration.nanos >= 0 && duration.nanos < Number(NANOS));
}

/** The same span with nanos from 0 to 999,999,999; it is not negative. */
function proper(duration: Duration): Duration {
  const nanos = duration.seconds * NANOS + BigInt(duration.nanos);
  return { ...duration, seconds: nanos / NANOS, nanos: Number(nanos % NANOS) };
}

const NANOS = 1_000_000_000n;

/** The message of a stored profile. */
export function fromProfile(profile: StoredProfile): AgentProfile {
  return fromBinary(AgentProfileSchema, profile.encoded);
}

/** Whether two profiles say the same. */
export function isSameProfile(one: StoredProfile, other: StoredProfile): boolean {
  return Buffer.compare(one.encoded, other.encoded) === 0;
}

/** Whether a profile has more entries than any may have: then it might break a rule a million times. */
export function isFarTooLong({ capabilities, metadata }: AgentProfile): boolean {
  return capabilities.length > ENTRIES_MAX || Object.keys(metadata).length > ENTRIES_MAX;
}

const ENTRIES_MAX = 200;

/** Personal data in what the lineage is told of a profile. */
export function toldFaults(message: AgentProfile | undefined): readonly Fault[] {
  const told = message?.capabilities.slice(0, ENTRIES_MAX);
  return personalDataFaults(told, "profile.capabilities");
}

/**
 * Checks a merged profile.
 * @throws Rejection INVALID_PROFILE with every fault
 */
export function checkProfile(message: AgentProfile): void {
  const broken = faultsIn(AgentProfileSchema, message, { first: isFarTooLong(message) });
  const own = broken.map((fault) => ({ ...fault, field: `profile.${fault.field}` }));
  const faults = [...own, ...toldFaults(message)];
  if (faults.length === 0) return;
  const text = faults.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const reason: Reason = "INVALID_PROFILE";
  throw new Rejection(reason, `the profile would break a rule: ${text}`, { faults });
}
