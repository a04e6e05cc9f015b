import {
  type Agent as AgentMessage,
  AgentSchema,
  type Availability,
  AvailabilitySchema,
  AvailabilityState,
  type Reputation as ReputationMessage,
  ReputationSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type {
  HeartbeatRequest,
  KeepAliveRequest,
  RecordOutcomeRequest,
  RegisterAgentRequest,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import {
  averageLatencyMs,
  fromPpm,
  multiplierPpm,
  type Reputation,
  reliability,
  toPpm,
} from "@bourse/scoring";
import { create } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  timestampDate,
  timestampFromDate,
  timestampFromMs,
} from "@bufbuild/protobuf/wkt";
import { type Agent, etagOf, type Registration } from "./agent.ts";
import { type Declaration, loadAt, type Presence, type State, stateOf } from "./availability.ts";
import type { Beat } from "./availability-store.ts";
import { encodeBreakers } from "./breaker-codec.ts";
import type { NamedBreaker } from "./breaker-store.ts";
import { normalizeCapability } from "./capability.ts";
import { DEFAULT_WEIGHT_PPM, type Outcome } from "./outcome.ts";
import { fromProfile, toProfile } from "./profile.ts";

const PPM = 1_000_000;

/** The states of the contract by name. */
const STATES = {
  ONLINE: AvailabilityState.ONLINE,
  BUSY: AvailabilityState.BUSY,
  OFFLINE: AvailabilityState.OFFLINE,
  MAINTENANCE: AvailabilityState.MAINTENANCE,
} as const satisfies Record<State, AvailabilityState>;

const STATE_NAMES: Partial<Record<AvailabilityState, State>> = {
  [AvailabilityState.ONLINE]: "ONLINE",
  [AvailabilityState.BUSY]: "BUSY",
  [AvailabilityState.OFFLINE]: "OFFLINE",
  [AvailabilityState.MAINTENANCE]: "MAINTENANCE",
};

/** The state that a message names; undefined when it names none. */
export function decodeState(state: AvailabilityState): State | undefined {
  return STATE_NAMES[state];
}

/** The state as the contract names it. */
export function encodeState(state: State): AvailabilityState {
  return STATES[state];
}

/** Milliseconds of a duration, rounded down. */
export function decodeMs(duration: Duration | undefined): bigint | undefined {
  if (duration === undefined) return undefined;
  return duration.seconds * 1_000n + BigInt(Math.floor(duration.nanos / 1_000_000));
}

/** The load that a sign of life names; what it leaves out stays as it was. */
export function decodeLoad(request: HeartbeatRequest | KeepAliveRequest) {
  const { inFlight, queueLength, utilization } = request;
  const utilizationPpm = utilization === undefined ? undefined : Math.round(utilization * PPM);
  return { inFlight, queueLength, utilizationPpm } satisfies Beat["reported"];
}

/** What a valid request asks to register. */
export function decodeRegistration(request: RegisterAgentRequest): Registration {
  const { agentId, profile, declaredState, lease, replaceExisting } = request;
  if (profile === undefined) throw new Error("a valid request has a profile");
  const leaseMs = decodeMs(lease);
  return {
    agentId,
    profile: toProfile(profile),
    declaredState: decodeState(declaredState) ?? "ONLINE",
    leaseMs: leaseMs === undefined ? undefined : Number(leaseMs),
    replaceExisting,
  };
}

/** What a valid request tells of a task's end. */
export function decodeOutcome(request: RecordOutcomeRequest): Outcome {
  const { outcome, endTime } = request;
  if (outcome === undefined || endTime === undefined) {
    throw new Error("a valid request has an outcome and its time");
  }
  return {
    id: request.outcomeId,
    agentId: request.agentId,
    requesterId: request.requesterId,
    capability: normalizeCapability(request.capability),
    success: outcome.success,
    estimatedLatencyMs: decodeMs(outcome.estimatedLatency) ?? 0n,
    actualLatencyMs: decodeMs(outcome.actualLatency) ?? 0n,
    weightPpm: request.weight === undefined ? DEFAULT_WEIGHT_PPM : toPpm(request.weight),
    endedAt: timestampDate(endTime),
  };
}

/** An agent as callers see it at `now`. */
export function encodeAgent(
  agent: Agent,
  presence: Presence | undefined,
  now: Date,
  breakers: readonly NamedBreaker[] = [],
): AgentMessage {
  const { unregisteredAt } = agent;
  return create(AgentSchema, {
    agentId: agent.id,
    profile: fromProfile(agent.profile),
    availability: encodeAvailability(declarationOf(agent), presence, now, agent.declaredAt),
    reputation: encodeReputation(agent.reputation, now),
    createTime: timestampFromDate(agent.createdAt),
    updateTime: timestampFromDate(agent.updatedAt),
    ...(unregisteredAt !== undefined && { unregisterTime: timestampFromDate(unregisteredAt) }),
    etag: etagOf(agent),
    breakers: encodeBreakers(breakers, now),
  });
}

/** What decides on an agent's state. */
export function declarationOf(agent: Agent): Declaration {
  const { declaredState, leaseMs, unregisteredAt, profile } = agent;
  return { declaredState, leaseMs, unregisteredAt, maxConcurrent: profile.maxConcurrent };
}

/** What callers see of an agent's availability. */
export interface SeenAvailability {
  readonly state: AvailabilityState;
  readonly declaredState: AvailabilityState;
  readonly inFlight: number;
  readonly queueLength: number;
  readonly utilization: number | undefined;
  readonly openSlots: number;
  /** 0: it was never heard of. */
  readonly inFlightMs: number;
  readonly isStale: boolean;
  readonly leaseMs: number | undefined;
  readonly leaseExpireMs: number | undefined;
  readonly heardMs: number | undefined;
}

/** Availability as callers see it at `now`; `declaredAt` is when the agent was heard of if nothing is known since. */
export function seenAvailability(
  declaration: Declaration,
  presence: Presence | undefined,
  now: Date,
  declaredAt?: Date,
): SeenAvailability {
  const heardMs = (presence?.heardAt ?? declaredAt)?.getTime();
  const { inFlight, queueLength, utilizationPpm } = loadAt(presence, now);
  const leaseExpireAt = declaration.leaseMs === undefined ? undefined : presence?.leaseExpireAt;
  return {
    state: STATES[stateOf(declaration, presence, now)],
    declaredState: STATES[declaration.declaredState],
    inFlight,
    queueLength,
    utilization: utilizationPpm === undefined ? undefined : utilizationPpm / PPM,
    openSlots: presence?.openSlots ?? 0,
    inFlightMs: Math.max(heardMs ?? 0, presence?.slotsChangedAt?.getTime() ?? 0),
    isStale: presence?.staleSince !== undefined,
    leaseMs: declaration.leaseMs,
    leaseExpireMs: leaseExpireAt?.getTime(),
    heardMs,
  };
}

/** The same as a message. */
export function encodeAvailability(...seen: Parameters<typeof seenAvailability>): Availability {
  const { utilization, inFlightMs, isStale, leaseMs, leaseExpireMs, heardMs, ...same } =
    seenAvailability(...seen);
  return create(AvailabilitySchema, {
    ...same,
    ...(utilization !== undefined && { utilization }),
    ...(inFlightMs > 0 && { inFlightTime: timestampFromMs(inFlightMs) }),
    stale: isStale,
    ...(leaseMs !== undefined && { lease: durationFromMs(leaseMs) }),
    ...(leaseExpireMs !== undefined && { leaseExpireTime: timestampFromMs(leaseExpireMs) }),
    ...(heardMs !== undefined && { updateTime: timestampFromMs(heardMs) }),
  });
}

/** A reputation as callers see it at `now`: evidence fades, so its reliabilities move with time. */
export function encodeReputation(reputation: Reputation, now: Date): ReputationMessage {
  const meanLatencyMs = averageLatencyMs(reputation);
  const capabilities = [...reputation.evidenceByCapability.keys()].sort();
  return create(ReputationSchema, {
    score: fromPpm(reputation.scorePpm),
    calibration: fromPpm(reputation.calibrationPpm),
    multiplier: fromPpm(multiplierPpm(reputation)),
    completedTasks: reputation.completed,
    failedTasks: reputation.failed,
    ...(meanLatencyMs !== undefined && { meanLatency: durationFromMs(Number(meanLatencyMs)) }),
    reliabilities: capabilities.map((capability) => {
      const estimate = reliability(reputation, now, capability);
      return {
        capability,
        mean: fromPpm(estimate.meanPpm),
        lowerBound: fromPpm(estimate.lowerPpm),
        upperBound: fromPpm(estimate.upperPpm),
        evidence: fromPpm(estimate.evidenceMicros),
      };
    }),
  });
}
