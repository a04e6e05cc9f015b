import { hash } from "node:crypto";
import { canonicalJson, leafHash, leafHashes } from "@bourse/proof";
import type { LineageEvent } from "./lineage.ts";
import type { Movement } from "./movement.ts";

/** Where the journal ends. */
export interface Head {
  /** Of the newest batch; 0 when there is none. */
  readonly sequence: bigint;
  /** Its hash, 32 bytes. */
  readonly hash: Buffer;
  /** How many events there are in all batches. */
  readonly events: bigint;
}

/** What one database transaction wrote: movements first, then events. */
export interface Batch {
  /** Its place in the chain, from 1. */
  readonly sequence: bigint;
  /** To the millisecond. */
  readonly recordedAt: Date;
  /** How many entries it bears; more than zero. */
  readonly entries: number;
  /** The Merkle root over the hashes of its entries, in order. */
  readonly root: Buffer;
  readonly hash: Buffer;
}

/** The hash before the first batch. */
export const GENESIS_HASH = Buffer.alloc(32);

/**
 * The hash of a movement as an entry: SHA-256 of a zero byte and the UTF-8 bytes of one canonical
 * JSON object (RFC 8785) with the members amount, credit_account and debit_account (decimal texts),
 * created_at, hold_id, kind, movement_id, transaction_id and transfer (null when there is none).
 */
export function movementHash(movement: Movement): Buffer {
  return leafHash(movementText(movement));
}

/** The hashes of movements, one behind the other; most were written at the same time. */
export function movementHashes(movements: readonly Movement[]): Buffer {
  let last: Date | undefined;
  let text = "";
  return leafHashes(
    movements.map((movement) => {
      if (movement.createdAt !== last) text = movement.createdAt.toISOString();
      last = movement.createdAt;
      return movementText(movement, text);
    }),
  );
}

/** The canonical JSON of a movement. Written out, since every payment waits for it. */
export function movementText(
  movement: Movement,
  createdAt: string = movement.createdAt.toISOString(),
): string {
  const { id, kind, amount, debit, credit, transactionId, transfer, holdId } = movement;
  return (
    `{"amount":"${amount}","created_at":"${createdAt}","credit_account":"${credit}",` +
    `"debit_account":"${debit}","hold_id":${quoted(holdId)},"kind":"${kind}",` +
    `"movement_id":"${id}","transaction_id":${quoted(transactionId)},` +
    `"transfer":${transfer === undefined ? "null" : canonicalJson(transfer)}}`
  );
}

/**
 * The hash of an event as an entry: SHA-256 of a zero byte and the UTF-8 bytes of its canonical
 * JSON.
 */
export function eventHash(event: Omit<LineageEvent, "hash" | "batch" | "nth">): Buffer {
  return leafHash(eventText(event));
}

/**
 * The canonical JSON (RFC 8785) of an event: the members event_id, event_time, payload (null when
 * absent), record_time, sequence (as a decimal text), source, subjects, task_id and type. Times are
 * RFC 3339 in UTC with three decimals: `2026-11-21T10:00:00.000Z`.
 */
export function eventText(event: Omit<LineageEvent, "hash" | "batch" | "nth">): string {
  return canonicalJson({
    event_id: event.eventId,
    event_time: event.eventTime.toISOString(),
    payload: event.payload ?? null,
    record_time: event.recordTime.toISOString(),
    sequence: String(event.sequence),
    source: event.source,
    subjects: event.subjects,
    task_id: event.taskId,
    type: event.type,
  });
}

/** The hash of a batch: SHA-256 of the UTF-8 bytes of its text. */
export function batchHash(previous: Buffer, batch: Omit<Batch, "hash">): Buffer {
  return hash("sha256", batchText(previous, batch), "buffer");
}

/**
 * The canonical JSON (RFC 8785) of a batch: the members entries (a number), previous_hash,
 * recorded_at, root and sequence (a decimal text).
 * @param previous the hash of the batch before
 */
export function batchText(
  previous: Buffer,
  { sequence, recordedAt, entries, root }: Omit<Batch, "hash">,
): string {
  return canonicalJson({
    entries,
    previous_hash: previous.toString("hex"),
    recorded_at: recordedAt.toISOString(),
    root: root.toString("hex"),
    sequence: String(sequence),
  });
}

/** Ids are UUIDs, which JSON need not escape. */
function quoted(id: string | undefined): string {
  return id === undefined ? "null" : `"${id}"`;
}
