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
 */
export function eventOf(happening: Happening, now: Date): NewEvent | undefined {
  if (happening.kind !== "transaction_disputed" && happening.kind !== "dispute_resolved") {
    return undefined;
  }
  const { transaction } = happening;
  const { id, payer, provider, amount, dispute } = transaction;
  const ruling = dispute?.ruling;
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
