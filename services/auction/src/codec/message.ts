import type { OutboxMessage } from "@bourse/postgres";
import {
  CancelTransactionRequestSchema,
  PostCreditsRequestSchema,
  RecordDeliveryRequestSchema,
  SettleTransactionRequestSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { RecordOutcomeRequestSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { lineageMessage } from "@bourse/service/lineage";
import { create, type DescMessage, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { FollowUp, MarketEvent } from "../follow-up.ts";
import { writeOutcome } from "./task.ts";
import { writeDuration, writeMoney } from "./value.ts";

/** The kinds of outbox message that are a request to a peer, with its schema. */
export const REQUESTS = {
  settle: SettleTransactionRequestSchema,
  cancel: CancelTransactionRequestSchema,
  deliver: RecordDeliveryRequestSchema,
  credits: PostCreditsRequestSchema,
  outcome: RecordOutcomeRequestSchema,
} as const;

/**
 * A task's follow-ups as outbox messages. What a receiver refuses, or leaves waiting for a ruling,
 * holds up nothing else: each award's money, credits and outcome have keys of their own. Only the
 * lineage of a task is told in order, and what was delivered before its money.
 */
export function writeFollowUps(
  taskId: string,
  followUps: readonly FollowUp[],
): readonly OutboxMessage[] {
  return followUps.map((followUp) => writeFollowUp(taskId, followUp));
}

function writeFollowUp(taskId: string, followUp: FollowUp): OutboxMessage {
  switch (followUp.kind) {
    case "settle":
    case "cancel": {
      const { kind, transactionId } = followUp;
      return request(`${kind}/${transactionId}`, kind, `money/${transactionId}`, { transactionId });
    }
    case "deliver": {
      const { kind, transactionId, sha256, latencyMs } = followUp;
      return request(`${kind}/${transactionId}`, kind, `money/${transactionId}`, {
        transactionId,
        sha256,
        latency: writeDuration(latencyMs),
      });
    }
    case "credits": {
      const { creditId, agentId, creditMicros } = followUp;
      const amount = writeMoney(creditMicros, "CRD");
      return request(creditId, "credits", creditId, { creditId, agentId, amount, taskId });
    }
    case "outcome": {
      const { outcomeId, agentId, requester: requesterId, capability, currency } = followUp;
      return request(`outcome/${outcomeId}`, "outcome", `outcome/${outcomeId}`, {
        outcomeId,
        agentId,
        requesterId,
        capability,
        outcome: writeOutcome(followUp.outcome, currency),
        endTime: timestampFromDate(followUp.endTime),
      });
    }
    case "event":
      return writeEvent(followUp.event);
  }
}

function request<K extends keyof typeof REQUESTS>(
  id: string,
  kind: K,
  key: string,
  init: MessageInitShape<(typeof REQUESTS)[K]>,
): OutboxMessage {
  const schema: DescMessage = REQUESTS[kind];
  return {
    id,
    kind,
    key,
    payload: toJson(schema, create(schema, init as Record<string, unknown>)),
  };
}

function writeEvent(event: MarketEvent): OutboxMessage {
  const payload = Object.entries(event.payload).map(([name, fact]) => [
    name,
    typeof fact === "bigint" ? String(fact) : fact,
  ]);
  return lineageMessage(`lineage/${event.taskId}`, {
    eventId: event.eventId,
    type: event.type,
    eventTime: event.time,
    subjects: event.subjects,
    taskId: event.taskId,
    payload: Object.fromEntries(payload),
  });
}
