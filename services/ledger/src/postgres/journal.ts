import type { Tx } from "@bourse/postgres";
import { HASH_BYTES, packedRoot } from "@bourse/proof";
import { type Batch, batchHash, type Head, movementHashes } from "../journal.ts";
import type { NewEvent } from "../lineage.ts";
import type { Movement } from "../movement.ts";
import { type AppendStamp, insertEvents, placeEvents } from "./lineage.ts";
import { insertMovements } from "./movements.ts";

/** The end of the journal while it is locked. */
export interface LockedHead extends Head {
  /** How often an account was closed or renamed so far. */
  readonly closings: bigint;
}

/**
 * Writes movements and events as one batch at the end of the journal, within the caller's database
 * transaction. The head stays locked until that ends, so take every other lock before. Writes
 * nothing when there is nothing new.
 * @throws Rejection EVENT_ID_REUSED when an event is there with other content
 */
export async function writeBatch(
  tx: Tx,
  entries: {
    readonly movements: readonly Movement[];
    readonly events: readonly NewEvent[];
    /** Who tells the events. */
    readonly source: string;
  },
  stamp: AppendStamp,
): Promise<LockedHead> {
  // Before the lock: others wait for what follows it.
  const hashes = movementHashes(entries.movements);
  const head = await lockHead(tx);
  const sequence = head.sequence + 1n;
  const before = entries.movements.length;
  const place = { head, before, source: entries.source };
  const events =
    entries.events.length === 0 ? [] : await placeEvents(tx, place, entries.events, stamp);
  const leaves = Buffer.concat([hashes, ...events.map((event) => event.hash)]);
  if (leaves.length === 0) return head;
  const unsealed = {
    sequence,
    recordedAt: stamp.now,
    entries: before + events.length,
    root: packedRoot(leaves),
  };
  const batch = { ...unsealed, hash: batchHash(head.hash, unsealed) };
  const next = { ...head, sequence, hash: batch.hash, events: head.events + BigInt(events.length) };
  await insertMovements(
    tx,
    entries.movements.map((movement, nth) => ({
      movement,
      batch: sequence,
      nth,
      hash: hashes.subarray(nth * HASH_BYTES, (nth + 1) * HASH_BYTES),
    })),
  );
  await insertEvents(tx, events);
  await insertBatch(tx, batch, next);
  return next;
}

async function lockHead(tx: Tx): Promise<LockedHead> {
  const head = await readHead(tx, "for update");
  if (head === undefined) throw new Error("the journal has lost its head row");
  return head;
}

/** Where the journal ends, or undefined when its row is gone. */
export async function readHead(tx: Tx, lock: "for update" | ""): Promise<LockedHead | undefined> {
  const { rows } = await tx.query<
    Record<"sequence" | "events" | "closings", string> & { hash: Uint8Array }
  >({
    name: `journal head ${lock}`,
    text: `select sequence, hash, events, closings from journal_head ${lock}`,
  });
  return rows.map(({ sequence, hash, events, closings }) => ({
    closings: BigInt(closings),
    sequence: BigInt(sequence),
    hash: Buffer.from(hash),
    events: BigInt(events),
  }))[0];
}

async function insertBatch(tx: Tx, batch: Batch, head: Head): Promise<void> {
  await tx.query({
    name: "insert batch",
    text: `with written as (
        insert into batches (sequence, recorded_at, entries, root, hash)
        values ($1, $2, $3, $4, $5)
      )
      update journal_head
      set sequence = $1, hash = $5, events = $6, chapter_entries = chapter_entries + $3`,
    values: [batch.sequence, batch.recordedAt, batch.entries, batch.root, batch.hash, head.events],
  });
}
