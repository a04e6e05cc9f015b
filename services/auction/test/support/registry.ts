import {
  type Agent,
  AgentSchema,
  AvailabilityState,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  type RecordOutcomeRequest,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import type { AgentSource } from "../../src/agent-book.ts";

/** What a test changes of an agent that is ONLINE and can do `iso_construction`. */
export interface AgentFacts {
  readonly capabilities?: string[];
  readonly state?: AvailabilityState;
  readonly maxConcurrent?: number;
  readonly calibration?: number;
  readonly multiplier?: number;
  readonly autoBid?: { readonly base: bigint; readonly perMinute?: bigint; readonly rate?: number };
  readonly lowerBound?: number;
}

/**
 * TEST PEER, not the registry: agents in memory, known to the roster at once unless it lags, and
 * the outcomes that were recorded, each id once.
 */
export function startRegistry() {
  const agents = new Map<string, Agent>();
  const copy = new Map<string, Agent>();
  const outcomes = new Map<string, RecordOutcomeRequest>();
  let isReady = true;
  let isLagging = false;
  let isAway = false;

  const roster: AgentSource = {
    get: (agentId) => copy.get(agentId),
    withCapability: (capability) =>
      [...copy.values()].filter((agent) => agent.profile?.capabilities.includes(capability)),
    isReady: () => isReady,
  };
  const transport = createRouterTransport(({ service }) => {
    service(RegistryService, {
      getAgent({ agentId }) {
        if (isAway) throw new ConnectError("no road", Code.Unavailable);
        const agent = agents.get(agentId);
        if (agent !== undefined) return { agent };
        const value = { reason: "AGENT_NOT_FOUND", domain: "bourse.registry" };
        const details = [{ desc: ErrorInfoSchema, value }];
        throw new ConnectError("not there", Code.NotFound, undefined, details);
      },
      recordOutcome(request) {
        if (isAway) throw new ConnectError("no road", Code.Unavailable);
        if (!outcomes.has(request.outcomeId)) outcomes.set(request.outcomeId, request);
        return {};
      },
    });
  });

  return {
    registry: createClient(RegistryService, transport),
    roster,
    outcomes,
    put(agentId: string, facts: AgentFacts = {}) {
      const agent = create(AgentSchema, agentInit(agentId, facts));
      agents.set(agentId, agent);
      if (!isLagging) copy.set(agentId, agent);
    },
    setReady(ready: boolean) {
      isReady = ready;
    },
    setLagging(lagging: boolean) {
      isLagging = lagging;
    },
    setAway(away: boolean) {
      isAway = away;
    },
  };
}

function agentInit(agentId: string, facts: AgentFacts): MessageInitShape<typeof AgentSchema> {
  const { autoBid, capabilities = ["iso_construction"], lowerBound } = facts;
  const money = (micros: bigint) => ({ micros, currencyCode: "EUR" });
  return {
    agentId,
    profile: {
      capabilities,
      maxConcurrent: facts.maxConcurrent ?? 3,
      autoBid: autoBid !== undefined,
      ...(autoBid && {
        costModel: { base: money(autoBid.base), perMinute: money(autoBid.perMinute ?? 0n) },
        sla: { successRate: autoBid.rate ?? 0.98 },
      }),
    },
    availability: { state: facts.state ?? AvailabilityState.ONLINE },
    reputation: {
      calibration: facts.calibration ?? 0.92,
      multiplier: facts.multiplier ?? 1,
      reliabilities:
        lowerBound === undefined
          ? []
          : capabilities.map((capability) => ({ capability, lowerBound })),
    },
  };
}
