import {
  type Dispute as DisputeMessage,
  DisputeSchema,
  Rule as RuleNumber,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  DisputeStatus,
  type ListDisputesRequest,
  type NewEvidence as NewEvidenceMessage,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { NewEvidence } from "./command.ts";
import { rejectFaults, textFault } from "./limit.ts";
import type { DisputeEntry, DisputeFilter } from "./store.ts";
import { decodeTime } from "./time.ts";
import type { Ruling, Transaction, Vote } from "./transaction.ts";

/** What a party says, checked for texts that cannot be kept. Throws INVALID_REQUEST. */
export function decodeEvidence(evidence: readonly NewEvidenceMessage[]): readonly NewEvidence[] {
  rejectFaults(
    evidence.flatMap(({ note, reference }, nth) => [
      textFault(`evidence[${nth}].note`, note),
      textFault(`evidence[${nth}].reference`, reference),
    ]),
  );
  return evidence.map(({ note, reference, sha256 }) => ({ note, reference, sha256 }));
}

/** Which disputes to list. Throws INVALID_REQUEST. */
export function decodeDisputeFilter(request: ListDisputesRequest): DisputeFilter {
  const { agentId, status, dueBeforeTime } = request;
  return {
    agent: agentId === "" ? undefined : agentId,
    isOpen: status === DisputeStatus.UNSPECIFIED ? undefined : status === DisputeStatus.OPEN,
    dueBefore: decodeTime("due_before_time", dueBeforeTime),
  };
}

/** What was delivered and contested of a transaction, as callers see it. */
export function encodeContest(transaction: Transaction) {
  const { id, payer, provider, amount, delivered, dispute, endRule } = transaction;
  return {
    ...(delivered && {
      delivered: {
        deliverTime: timestampFromDate(delivered.at),
        sha256: delivered.sha256,
        reference: delivered.reference,
      },
    }),
    ...(dispute && {
      dispute: {
        ...encodeEntry({
          ...dispute,
          transactionId: id,
          payer,
          provider,
          currency: amount.currency,
          evidenceCount: dispute.evidence.length,
        }),
        votes: dispute.votes.map(encodeVote),
      },
    }),
    ...(endRule && { endRule: RuleNumber[endRule] }),
  };
}

/** A dispute as it is listed. */
export function encodeDispute(entry: DisputeEntry): DisputeMessage {
  return create(DisputeSchema, encodeEntry(entry));
}

function encodeEntry(entry: DisputeEntry) {
  const { dueAt, ruling } = entry;
  return {
    transactionId: entry.transactionId,
    payer: entry.payer,
    provider: entry.provider,
    amount: money(entry.amount, entry.currency),
    flaggedBy: entry.flaggedBy,
    flagTime: timestampFromDate(entry.flaggedAt),
    evidenceDueTime: timestampFromDate(entry.evidenceDue),
    rulingDueTime: timestampFromDate(entry.rulingDue),
    wasSettled: entry.wasSettled,
    evidenceCount: entry.evidenceCount,
    ...(dueAt && { dueTime: timestampFromDate(dueAt) }),
    ...(ruling && { ruling: encodeRuling(ruling) }),
  };
}

function encodeVote({ arbitrator, shareBps, reason, votedAt }: Vote) {
  return {
    arbitrator,
    providerShareBps: shareBps,
    reason,
    voteTime: timestampFromDate(votedAt),
  };
}

function encodeRuling({ rule, providerShareBps, reason, ruledBy, ruledAt }: Ruling) {
  return {
    rule: RuleNumber[rule],
    providerShareBps,
    reason,
    ruledBy,
    ruleTime: timestampFromDate(ruledAt),
  };
}

/** An amount as callers see it. */
export function money(micros: bigint, currencyCode: string) {
  return { micros, currencyCode };
}
