import { type AgentSchema, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";

/** What a test changes of an agent that is ONLINE without a lease and has the capability `python`. */
export interface AgentFacts {
  readonly agentId?: string;
  readonly capabilities?: string[];
  readonly state?: AvailabilityState;
  readonly leaseExpires?: Date;
  /** Absent: it is not said. */
  readonly leaseSeconds?: number;
  readonly heard?: Date;
  readonly inFlight?: number;
  readonly isStale?: boolean;
}

/** An agent as the registry would stream it. */
export function anAgent(facts: AgentFacts = {}): MessageInitShape<typeof AgentSchema> {
  const { agentId = "ada", capabilities = ["python"], leaseExpires, leaseSeconds, heard } = facts;
  const state = facts.state ?? AvailabilityState.ONLINE;
  return {
    agentId,
    profile: { capabilities },
    availability: {
      state,
      declaredState: state,
      inFlight: facts.inFlight ?? 0,
      stale: facts.isStale ?? false,
      ...(leaseExpires !== undefined && { leaseExpireTime: timestampFromDate(leaseExpires) }),
      ...(leaseSeconds !== undefined && { lease: { seconds: BigInt(leaseSeconds) } }),
      ...(heard !== undefined && { updateTime: timestampFromDate(heard) }),
    },
  };
}
