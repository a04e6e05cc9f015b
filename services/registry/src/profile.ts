import {
  type AgentProfile,
  AgentProfileSchema,
  type Sla,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { type Fault, Rejection } from "@bourse/rpc/rejection";
import { personalDataFaults } from "@bourse/service/personal-data";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import type { Profile, StoredProfile } from "./agent.ts";
import { normalizeCapabilities } from "./capability.ts";
import type { Reason } from "./reasons.ts";

/** Tasks at once when a profile names no number. */
const DEFAULT_MAX_CONCURRENT = 3;

const validator = createValidator();

/**
 * A profile as the store keeps it, its capabilities normalised. What the contract does not know is left out: no rule
 * bounds it, and one agent that fills a message would break the stream of every watcher. Latencies are written
 * in their one proper form: JSON has no other. The message is left as it is.
 */
export function toProfile(message: AgentProfile): Profile {
  const capabilities = normalizeCapabilities(message.capabilities);
  return {
    capabilities,
    metadata: message.metadata,
    maxConcurrent: message.maxConcurrent ?? DEFAULT_MAX_CONCURRENT,
    encoded: toBinary(
      AgentProfileSchema,
      { ...message, capabilities, ...(message.sla && { sla: properSla(message.sla) }) },
      { writeUnknownFields: false },
    ),
  };
}

function properSla(sla: Sla): Sla {
  const { p50Latency, p95Latency, p99Latency } = sla;
  return {
    ...sla,
    ...(p50Latency && { p50Latency: proper(p50Latency) }),
    ...(p95Latency && { p95Latency: proper(p95Latency) }),
    ...(p99Latency && { p99Latency: proper(p99Latency) }),
  };
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

/**
 * Checks a merged profile by the rules of the contract, and what is told of it for personal data.
 * @throws Rejection INVALID_PROFILE with every fault
 */
export function checkProfile(message: AgentProfile): void {
  const result = validator.validate(AgentProfileSchema, message);
  if (result.kind === "error") throw result.error;
  const violations = (result.violations ?? []).map(({ field, ruleId, message: description }) => ({
    field: `profile.${pathToString(field)}`,
    reason: ruleId.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase(),
    description: description === "" ? ruleId : description,
  }));
  const told = personalDataFaults(message.capabilities, "profile.capabilities");
  const faults: readonly Fault[] = [...violations, ...told];
  if (faults.length === 0) return;
  const text = faults.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const reason: Reason = "INVALID_PROFILE";
  throw new Rejection(reason, `the profile would break a rule: ${text}`, { faults });
}
