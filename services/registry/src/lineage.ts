import type { OutboxMessage } from "@bourse/postgres";
import { lineageMessage } from "@bourse/service/lineage";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Agent } from "./agent.ts";

/** What the registry puts on the record. */
export type LineageType =
  | "agent_registered"
  | "agent_updated"
  | "agent_unregistered"
  | "reputation_adjusted";

/** The event that made `agent` what it is: its version, which no other change of it shares, is part of the id. */
export function lineageOf(
  type: LineageType,
  agent: Agent,
  payload: Readonly<Record<string, string | number | boolean | string[]>>,
): OutboxMessage {
  return lineageMessage(agent.id, {
    eventId: `${type}/${agent.id}/${agent.version}`,
    type,
    eventTime: timestampFromDate(agent.updatedAt),
    subjects: { agent: agent.id },
    payload,
  });
}
