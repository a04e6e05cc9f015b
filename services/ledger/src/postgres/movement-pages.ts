import { HASH_BYTES } from "@bourse/proof";
import type { Movement } from "../movement.ts";
import {
  putBigint,
  putBytes,
  putInteger,
  putName,
  putRecords,
  putText,
  putUuid,
} from "./records.ts";

/** Movements that follow each other in a batch and are stored as one row. */
export interface MovementPage {
  /** The place of the first one in the batch. */
  readonly nth: number;
  readonly movements: readonly Movement[];
}

/**
 * What the movements of one row may take: it must fit a page of Postgres, 8 KB, with what stands beside them. A
 * movement takes 136 bytes or 152, and the id of a deposit up to three for each of its code units.
 */
const PAGE_BYTES = 7_900;
const MOVEMENT_BYTES = 152;
const UNIT_BYTES = 3;

/** The movements of a batch, in order, as many to a page as fit. */
export function pagesOf(movements: readonly Movement[]): readonly MovementPage[] {
  const pages: MovementPage[] = [];
  let [nth, bytes] = [0, 0];
  for (const [place, { transfer = "" }] of movements.entries()) {
    const size = MOVEMENT_BYTES + UNIT_BYTES * transfer.length;
    if (bytes + size > PAGE_BYTES) {
      pages.push({ nth, movements: movements.slice(nth, place) });
      [nth, bytes] = [place, 0];
    }
    bytes += size;
  }
  if (nth < movements.length) pages.push({ nth, movements: movements.slice(nth) });
  return pages;
}

/** Puts a `payment_page`; the hashes of the batch lie one behind the other. */
export function putPage({ nth, movements }: MovementPage, hashes: Buffer): void {
  const [first, last] = endsOf(movements);
  putInteger(nth);
  putUuid(first);
  putUuid(last);
  putRecords(movements, (each, place) => putMovement(each, nth + place, hashes));
}

/** The least and the greatest of the ids. */
function endsOf(movements: readonly Movement[]): readonly [string | undefined, string | undefined] {
  let [first, last] = [movements[0]?.id, movements[0]?.id];
  for (const { id } of movements) {
    if (first === undefined || id < first) first = id;
    if (last === undefined || id > last) last = id;
  }
  return [first, last];
}

/** A `payment_movement`. */
function putMovement(movement: Movement, nth: number, hashes: Buffer): void {
  putBigint(movement.debit);
  putBigint(movement.credit);
  putBigint(movement.amount);
  putName(movement.kind);
  putUuid(movement.id);
  putUuid(movement.transactionId);
  putUuid(movement.holdId);
  putText(movement.transfer);
  putInteger(nth);
  putBytes(hashes, nth * HASH_BYTES, HASH_BYTES);
}
