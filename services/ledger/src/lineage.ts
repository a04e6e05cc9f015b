import { createHash } from "node:crypto";
import type { Happening } from "./books.ts";
import { canonicalJson, type JsonObject } from "./canonical.ts";
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
  /** Its place in the chain, from 1. */
  readonly sequence: bigint;
  /** To the millisecond. */
  readonly recordTime: Date;
  readonly source: string;
  /** SHA-256 in lower-case hex. */
  readonly previousHash: string;
  /** SHA-256 in lower-case hex. */
  readonly hash: string;
}

/** Where the chain ends. */
export interface Head {
  readonly sequence: bigint;
  readonly hash: string;
}

/** The head of a chain without events. */
export const GENESIS: Head = { sequence: 0n, hash: "0".repeat(64) };

/** What is wrong with a chain. */
export type ChainFault = "SEQUENCE_GAP" | "LINK_MISMATCH" | "HASH_MISMATCH" | "HEAD_MISMATCH";

/**
 * The hash of an event: SHA-256, in hex, of the UTF-8 bytes of one canonical JSON object (RFC 8785)
 * with the members event_id, event_time, payload (null when absent), previous_hash, record_time,
 * sequence (as a decimal string), source, subjects, task_id and type. Times are RFC 3339 in UTC
 * with three decimals: `2026-11-21T10:00:00.000Z`.
 */
export function hashOf(event: Omit<LineageEvent, "hash">): string {
  const text = canonicalJson({
    event_id: event.eventId,
    event_time: event.eventTime.toISOString(),
    payload: event.payload ?? null,
    previous_hash: event.previousHash,
    record_time: event.recordTime.toISOString(),
    sequence: String(event.sequence),
    source: event.source,
    subjects: event.subjects,
    task_id: event.taskId,
    type: event.type,
  });
  return createHash("sha256").update(text).digest("hex");
}

/** Puts an event, whose subjects are pseudonyms by now, behind the head. */
export function chain(
  head: Head,
  event: NewEvent,
  stamp: { readonly source: string; readonly recordTime: Date },
): LineageEvent {
  const open = { ...event, ...stamp, sequence: head.sequence + 1n, previousHash: head.hash };
  return { ...open, hash: hashOf(open) };
}

/** What is wrong with an event that stands behind `head`, or undefined. */
export function faultOf(head: Head, event: LineageEvent): ChainFault | undefined {
  if (event.sequence !== head.sequence + 1n) return "SEQUENCE_GAP";
  if (event.previousHash !== head.hash) return "LINK_MISMATCH";
  return hashOf(event) === event.hash ? undefined : "HASH_MISMATCH";
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
 */
export function eventOf(happening: Happening, now: Date): NewEvent | undefined {
  if (happening.kind !== "transaction_disputed" && happening.kind !== "dispute_resolved") {
    return undefined;
  }
  const { transaction } = happening;
  const { id, payer, provider, amount, ruling } = transaction;
  return {
    eventId: `${happening.kind}/${id}`,
    type: happening.kind,
    eventTime: now,
    subjects: { payer, provider },
    taskId: taskOf(transaction),
    payload: {
      transaction_id: id,
      amount_micros: String(amount.micros),
      currency_code: amount.currency,
      ...(ruling === undefined
        ? { frozen_micros: String(transaction.hold?.amount ?? 0n) }
        : {
            provider_share_bps: ruling.providerShareBps,
            settled_micros: String(transaction.settled),
            owed_micros: String(transaction.owed),
          }),
    },
  };
}

/** Only services are believed: an agent's notes may name a task that is none of its business. */
function taskOf({ context, recorder }: Transaction): string {
  const taskId = context?.["task_id"];
  const told = recorder.startsWith("service:") && typeof taskId === "string";
  return told && taskId.length <= 64 ? taskId : "";
}
