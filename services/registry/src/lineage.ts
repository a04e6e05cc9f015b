import type { OutboxMessage } from "@bourse/postgres";
import { lineageMessage } from "@bourse/service/lineage";
import type { Agent } from "./agent.ts";

/** What the registry puts on the record. */
export type LineageType =
  | "agent_registered"
  | "agent_updated"
  | "agent_unregistered"
  | "reputation_adjusted";

/**
 * What happened to an agent at `at`. `newId` is drawn for it: an id that said of whom would stay on the record when the
 * agent is erased. It is written with the change, so a repetition of the delivery bears the same.
 */
export function lineageOf(
  type: LineageType,
  agent: Pick<Agent, "id">,
  at: Date,
  newId: string,
  payload: Readonly<Record<string, string | number | boolean | string[]>>,
): OutboxMessage {
  return lineageMessage(agent.id, {
    eventId: `${type}/${newId}`,
    type,
    eventTime: at,
    subjects: { agent: agent.id },
    payload,
  });
}

/** What happened to an erasure. It has no subject. */
export function erasureEvent(
  type: "erasure_requested" | "agent_erased",
  erasureId: string,
  at: Date,
): OutboxMessage {
  return lineageMessage(`erasure/${erasureId}`, {
    eventId: `${type}/${erasureId}`,
    type,
    eventTime: at,
    payload: { erasure_id: erasureId },
  });
}
