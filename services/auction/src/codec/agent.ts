import {
  type Agent,
  type AgentProfile,
  AgentSchema,
  AvailabilityState,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { DEFAULT_COST_MODEL, PPM, PRIOR_MICROS, reliabilityBound, toPpm } from "@bourse/scoring";
import { create } from "@bufbuild/protobuf";
import type { AutomaticBidder } from "../automatic-bid.ts";
import { DEFAULT_SUCCESS_PPM } from "../bid.ts";

const MAX_CONCURRENT_DEFAULT = 3;

/** What an agent that nobody knows yet is held to be worth. */
const UNKNOWN_PPM = reliabilityBound(PRIOR_MICROS, PRIOR_MICROS).lowerPpm;

const STATES: Readonly<Record<number, AutomaticBidder["state"]>> = {
  [AvailabilityState.BUSY]: "BUSY",
  [AvailabilityState.OFFLINE]: "OFFLINE",
  [AvailabilityState.MAINTENANCE]: "MAINTENANCE",
};

/**
 * An agent as a bidder; undefined for a tombstone. `required` are the capabilities that its
 * reliability is asked for.
 */
export function readBidder(agent: Agent, required: readonly string[]): AutomaticBidder | undefined {
  if (agent.unregisterTime !== undefined) return undefined;
  const { profile, reputation, availability } = agent;
  const { base, perMinute, complexityMultiplier } = profile?.costModel ?? {};
  const reliabilities = new Map(
    reputation?.reliabilities.map((each) => [each.capability, toPpm(each.lowerBound)]),
  );
  return {
    agentId: agent.agentId,
    state: STATES[availability?.state ?? 0] ?? "ONLINE",
    capabilities: new Set(profile?.capabilities),
    calibrationPpm: toPpm(reputation?.calibration ?? 1),
    multiplierPpm: toPpm(reputation?.multiplier ?? 1),
    maxConcurrent: profile?.maxConcurrent ?? MAX_CONCURRENT_DEFAULT,
    costModel: {
      baseMicros: base?.micros ?? DEFAULT_COST_MODEL.baseMicros,
      perMinuteMicros: perMinute?.micros ?? DEFAULT_COST_MODEL.perMinuteMicros,
      complexityMultiplierPpm:
        complexityMultiplier === undefined
          ? DEFAULT_COST_MODEL.complexityMultiplierPpm
          : toPpm(complexityMultiplier),
    },
    currency: base?.currencyCode,
    successPpm:
      profile?.sla?.successRate === undefined
        ? DEFAULT_SUCCESS_PPM
        : toPpm(profile.sla.successRate),
    reliabilityPpm: leastOf(required.map((name) => reliabilities.get(name) ?? UNKNOWN_PPM)),
  };
}

/** An agent that is not there as a bidder: ONLINE, with this profile, without a record of work. */
export function readPaperBidder(
  agentId: string,
  profile: AgentProfile,
): AutomaticBidder | undefined {
  const capabilities = profile.capabilities.map((name) => name.trim().toLowerCase());
  return readBidder(create(AgentSchema, { agentId, profile: { ...profile, capabilities } }), []);
}

function leastOf(ratios: readonly bigint[]): bigint {
  return ratios.toSorted((a, b) => Number(a - b))[0] ?? PPM;
}
