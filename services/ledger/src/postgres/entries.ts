import type { Tx } from "@bourse/postgres";
import {
  type Batch,
  eventHash,
  eventText,
  GENESIS_HASH,
  movementHash,
  movementText,
} from "../journal.ts";
import type { EntryName } from "../log.ts";
import type { Movement, MovementKind } from "../movement.ts";
import { EVENT_COLUMNS, type EventRow, toEvent } from "./lineage.ts";

/** A movement or event as the tables have it, to be held against its batch. */
export interface Leaf {
  readonly batch: bigint;
  readonly nth: number;
  /** The id of the movement or event. */
  readonly entry: string;
  /** When it was written, as it says itself. */
  readonly writtenAt: Date;
  /** The hash that stands beside it. */
  readonly told: Buffer;
  /** The hash of what it says. */
  readonly made: Buffer;
}

/** An entry with its place in the journal. */
export interface Placed {
  /** What was hashed. */
  readonly text: string;
  readonly batch: bigint;
  readonly nth: number;
}

interface BatchRow {
  readonly sequence: string;
  readonly recorded_at: Date;
  readonly entries: number;
  readonly root: Uint8Array;
  readonly hash: Uint8Array;
}

interface MovementRow {
  readonly id: string;
  readonly batch: string;
  readonly nth: number;
  readonly kind: MovementKind;
  readonly debit_account: string;
  readonly credit_account: string;
  readonly amount: string;
  readonly transaction_id: string | null;
  readonly transfer: string | null;
  readonly hold_id: string | null;
  readonly created_at: Date;
  readonly hash: Uint8Array;
}

const MOVEMENTS = `
  select id, batch, nth, kind, debit_account, credit_account, amount, transaction_id, transfer,
    hold_id, created_at, hash`;

/** At most `limit` batches behind `after`, in order. */
export async function batchesAfter(tx: Tx, after: bigint, limit: number): Promise<Batch[]> {
  const { rows } = await tx.query<BatchRow>(
    `select sequence, recorded_at, entries, root, hash from batches
     where sequence > $1 order by sequence limit $2`,
    [after, limit],
  );
  return rows.map((row) => ({
    sequence: BigInt(row.sequence),
    recordedAt: row.recorded_at,
    entries: row.entries,
    root: Buffer.from(row.root),
    hash: Buffer.from(row.hash),
  }));
}

/**
 * A batch with the hash of the one before.
 * @throws Error when either is not there
 */
export async function batchAt(tx: Tx, sequence: bigint) {
  const before = await batchesAfter(tx, sequence - 2n, 2);
  const batch = before.find((each) => each.sequence === sequence);
  const previous = before.find((each) => each.sequence === sequence - 1n)?.hash;
  if (batch === undefined || (previous === undefined && sequence > 1n)) {
    throw new Error(`batch ${sequence} or the one before it is gone`);
  }
  return { batch, previous: previous ?? GENESIS_HASH };
}

/** The entries of the batches behind `after` up to `until`, each batch's in order. */
export async function leavesOf(
  tx: Tx,
  after: bigint,
  until: bigint,
): Promise<ReadonlyMap<bigint, readonly Leaf[]>> {
  const movements = await tx.query<MovementRow>(
    `${MOVEMENTS} from movements where batch > $1 and batch <= $2`,
    [after, until],
  );
  const events = await tx.query<EventRow>(
    `select ${EVENT_COLUMNS} from lineage_events where batch > $1 and batch <= $2`,
    [after, until],
  );
  const leaves = [...movements.rows.map(movementLeaf), ...events.rows.map(eventLeaf)];
  leaves.sort((a, b) => a.nth - b.nth);
  return Map.groupBy(leaves, ({ batch }) => batch);
}

/** The hashes that stand beside the entries of a batch, in order. */
export async function hashesOf(tx: Tx, batch: bigint): Promise<readonly Buffer[]> {
  const { rows } = await tx.query<{ hash: Uint8Array }>(
    `select nth, hash from movements where batch = $1
     union all
     select nth, hash from lineage_events where batch = $1
     order by nth`,
    [batch],
  );
  return rows.map(({ hash }) => Buffer.from(hash));
}

/** An entry whose batch is before the first or behind the last, or undefined. */
export async function findStray(tx: Tx, last: bigint): Promise<string | undefined> {
  const { rows } = await tx.query<{ entry: string }>(
    `select id::text as entry from movements where batch > $1 or batch < 1
     union all
     select event_id from lineage_events where batch > $1 or batch < 1
     limit 1`,
    [last],
  );
  return rows[0]?.entry;
}

/**
 * Finds an entry, for an agent only among the movements of its own accounts and the events about
 * itself.
 */
export async function findEntry(
  tx: Tx,
  name: EntryName,
  viewer: string | undefined,
): Promise<Placed | undefined> {
  if (name.kind === "movement") {
    const { rows } = await tx.query<MovementRow>(
      `${MOVEMENTS} from movement_at($1)
       where ($2::text is null or exists (
         select from accounts where owner = $2 and id in (debit_account, credit_account)))`,
      [name.id, viewer ?? null],
    );
    return rows.map((row) => ({ ...placeOf(row), text: movementText(toMovement(row)) }))[0];
  }
  const [column, value] =
    name.kind === "event"
      ? (["event_id", name.id] as const)
      : (["sequence", name.sequence] as const);
  const { rows } = await tx.query<EventRow>(
    `select ${EVENT_COLUMNS} from lineage_events
     where ${column} = $1 and ($2::text is null or jsonb_path_query_array(subjects, '$.*') ?
       (select pseudonym from pseudonyms where subject = $2))`,
    [value, viewer ?? null],
  );
  return rows.map((row) => ({ ...placeOf(row), text: eventText(toEvent(row)) }))[0];
}

function placeOf({ batch, nth }: { readonly batch: string; readonly nth: number }) {
  return { batch: BigInt(batch), nth };
}

function toMovement(row: MovementRow): Movement {
  return {
    id: row.id,
    kind: row.kind,
    debit: BigInt(row.debit_account),
    credit: BigInt(row.credit_account),
    amount: BigInt(row.amount),
    transactionId: row.transaction_id ?? undefined,
    transfer: row.transfer ?? undefined,
    holdId: row.hold_id ?? undefined,
    createdAt: row.created_at,
  };
}

function movementLeaf(row: MovementRow): Leaf {
  return {
    ...placeOf(row),
    entry: row.id,
    writtenAt: row.created_at,
    told: Buffer.from(row.hash),
    made: movementHash(toMovement(row)),
  };
}

function eventLeaf(row: EventRow): Leaf {
  const event = toEvent(row);
  return {
    ...placeOf(row),
    entry: event.eventId,
    writtenAt: event.recordTime,
    told: event.hash,
    made: eventHash(event),
  };
}
