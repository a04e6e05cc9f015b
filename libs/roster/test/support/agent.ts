import { type AgentSchema, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";

/** What a test changes of an agent that is ONLINE without a lease and has the capability `python`. */
export interface AgentFacts {
  readonly agentId?: string;
  readonly capabilities?: string[];
  readonly state?: AvailabilityState;
  readonly leaseExpires?: Date;
}

/** An agent as the registry would stream it. */
export function anAgent(facts: AgentFacts = {}): MessageInitShape<typeof AgentSchema> {
  const { agentId = "ada", capabilities = ["python"], leaseExpires } = facts;
  const state = facts.state ?? AvailabilityState.ONLINE;
  return {
    agentId,
    profile: { capabilities },
    availability: {
      state,
      declaredState: state,
      ...(leaseExpires !== undefined && { leaseExpireTime: timestampFromDate(leaseExpires) }),
    },
  };
}
