import { canonicalJson, type JsonObject } from "@bourse/proof";
import type { Account } from "./account.ts";
import type { Happening } from "./books.ts";
import type { Transaction } from "./transaction.ts";

/** Something that happened, as a service tells it. */
export interface NewEvent {
  readonly eventId: string;
  readonly type: string;
  /** To the millisecond. */
  readonly eventTime: Date;
  /** Agent ids by the part they play. */
  readonly subjects: Readonly<Record<string, string>>;
  /** "" when there is none. */
  readonly taskId: string;
  readonly payload: JsonObject | undefined;
}

/** An event on the record; its subjects are pseudonyms. */
export interface LineageEvent extends NewEvent {
  /** Its place among all events, from 1. */
  readonly sequence: bigint;
  /** The batch that it was written with, and its place there behind the movements. */
  readonly batch: bigint;
  readonly nth: number;
  /** To the millisecond. */
  readonly recordTime: Date;
  readonly source: string;
  /** As an entry of its batch, 32 bytes. */
  readonly hash: Buffer;
}

/**
 * Whether an event that is told again is the one on the record. A pseudonym behind which nobody
 * stands any more was erased: what it was cannot be compared, and counts as the same.
 */
export function isSameEvent(
  recorded: LineageEvent,
  told: NewEvent & { readonly source: string },
  subjectOf: (pseudonym: string) => string | undefined,
): boolean {
  const roles = Object.keys(told.subjects).sort();
  return (
    recorded.source === told.source &&
    recorded.type === told.type &&
    recorded.eventTime.getTime() === told.eventTime.getTime() &&
    recorded.taskId === told.taskId &&
    canonicalJson(recorded.payload ?? null) === canonicalJson(told.payload ?? null) &&
    Object.keys(recorded.subjects).sort().join() === roles.join() &&
    roles.every((role) => {
      const subject = subjectOf(recorded.subjects[role] ?? "");
      return subject === undefined || subject === told.subjects[role];
    })
  );
}

/**
 * The event that the ledger itself puts on the record for something that happened, or undefined.
 * All that a ruling rests on is there: what was delivered, opened, said, voted and ruled; and what no movement shows:
 * how far an account may go below zero, and whether it may be used.
 */
export function eventOf(happening: Happening, now: Date): NewEvent | undefined {
  if ("account" in happening) return accountEvent(happening, now);
  if (!("transaction" in happening)) return undefined;
  const { transaction } = happening;
  const facts = factsOf(happening);
  if (facts === undefined) return undefined;
  const { id, payer, provider } = transaction;
  return {
    eventId: `${happening.kind}/${id}${facts.nth}`,
    type: happening.kind,
    eventTime: now,
    subjects: { payer, provider, ...facts.subjects },
    taskId: taskOf(transaction),
    payload: { transaction_id: id, ...facts.payload },
  };
}

function accountEvent(
  { kind, id, account }: Extract<Happening, { readonly account: Account }>,
  now: Date,
): NewEvent {
  const { owner, currency, creditLimit, status } = account;
  const set =
    kind === "credit_limit_set" ? { credit_limit_micros: String(creditLimit) } : { status };
  return {
    eventId: `${kind}/${id}`,
    type: kind,
    eventTime: now,
    subjects: { owner },
    taskId: "",
    payload: { account: String(account.id), currency_code: currency, ...set },
  };
}

interface EventFacts {
  /** Tells apart what can happen to a transaction more than once. */
  readonly nth: string;
  readonly subjects?: Readonly<Record<string, string>>;
  readonly payload: JsonObject;
}

function factsOf(happening: Happening): EventFacts | undefined {
  switch (happening.kind) {
    case "delivery_recorded": {
      const { delivered } = happening.transaction;
      const payload = { sha256: delivered?.sha256 ?? "", at: delivered?.at.toISOString() ?? "" };
      return { nth: "", payload };
    }
    case "transaction_disputed": {
      const { hold } = happening.transaction;
      return {
        nth: "",
        payload: { ...amountOf(happening), frozen_micros: String(hold?.amount ?? 0n) },
      };
    }
    case "evidence_submitted": {
      const { transaction, nth } = happening;
      const piece = transaction.dispute?.evidence[nth];
      const side = sideOf(transaction, piece?.submitter ?? "");
      return { nth: `/${nth}`, payload: { side, sha256: piece?.sha256 ?? "" } };
    }
    case "vote_cast":
      return {
        nth: `/${happening.id}`,
        subjects: { arbitrator: happening.vote.arbitrator },
        payload: { provider_share_bps: happening.vote.shareBps },
      };
    case "dispute_resolved": {
      const { dispute, settled, owed } = happening.transaction;
      const payload = {
        ...amountOf(happening),
        rule: dispute?.ruling?.rule ?? "",
        provider_share_bps: dispute?.ruling?.providerShareBps ?? 0,
        settled_micros: String(settled),
        owed_micros: String(owed),
      };
      return { nth: "", payload };
    }
    default:
      return undefined;
  }
}

function amountOf({ transaction: { amount } }: { readonly transaction: Transaction }): JsonObject {
  return { amount_micros: String(amount.micros), currency_code: amount.currency };
}

function sideOf({ payer, provider }: Transaction, submitter: string): string {
  if (submitter === `agent:${payer}`) return "payer";
  return submitter === `agent:${provider}` ? "provider" : "";
}

/** Only services are believed: an agent's notes may name a task that is none of its business. */
function taskOf({ context, recorder }: Transaction): string {
  const taskId = context?.["task_id"];
  const told = recorder.startsWith("service:") && typeof taskId === "string";
  return told && taskId.length <= 64 ? taskId : "";
}
