import { type Agent, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";

/** The agent as it is once its lease has lapsed: OFFLINE, whatever it declared. The argument is left as it is. */
export function lapsed(agent: Agent): Agent {
  const { availability } = agent;
  if (availability === undefined || availability.state === AvailabilityState.OFFLINE) return agent;
  return { ...agent, availability: { ...availability, state: AvailabilityState.OFFLINE } };
}

/**
 * Behind the message of an agent it makes the agent `lapsed`: of a field that comes twice the later one holds, and a
 * message within a message is merged. It says `availability { state: AVAILABILITY_STATE_OFFLINE }`.
 */
export const LAPSED_SUFFIX = "\x1a\x02\x08\x03";
