import { type Agent, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** Milliseconds since the epoch at which the agent's lease lapses; Infinity when it asked for none. */
export function lapseMs(agent: Agent): number {
  const lease = agent.availability?.leaseExpireTime;
  return lease === undefined ? Infinity : timestampMs(lease);
}

/** The agent as it is once its lease has lapsed: OFFLINE, whatever it declared. The argument is left as it is. */
export function lapsed(agent: Agent): Agent {
  const { availability } = agent;
  if (availability === undefined || availability.state === AvailabilityState.OFFLINE) return agent;
  return { ...agent, availability: { ...availability, state: AvailabilityState.OFFLINE } };
}
