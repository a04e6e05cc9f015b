import type { Tx } from "@bourse/postgres";
import { GENESIS_HASH } from "../journal.ts";
import type { ChangePage, JournalPlace } from "../statement.ts";
import { readHead } from "./journal.ts";
import { findTransactions } from "./transactions.ts";

/** Batches that are read at once, as long as they bear no more entries than this; or one. */
const BATCHES_MAX = 500;
const ENTRIES_MAX = 2_000;

/** Where the journal ends. */
export async function journalEnd(tx: Tx): Promise<JournalPlace> {
  return (await readHead(tx, "")) ?? START;
}

/** The place behind the batch of this sequence; undefined when there is none. */
export async function journalPlace(tx: Tx, sequence: bigint): Promise<JournalPlace | undefined> {
  if (sequence === 0n) return START;
  const { rows } = await tx.query<PlaceRow>(
    "select sequence, hash from batches where sequence = $1",
    [sequence],
  );
  return rows.map(toPlace)[0];
}

const START: JournalPlace = { sequence: 0n, hash: GENESIS_HASH };

interface PlaceRow {
  readonly sequence: string;
  readonly hash: Uint8Array;
}

function toPlace({ sequence, hash }: PlaceRow): JournalPlace {
  return { sequence: BigInt(sequence), hash: Buffer.from(hash) };
}

/**
 * The transactions that the next batches touched: by a movement or by an event that the ledger
 * told of them, as a dispute of a pending transaction moves nothing.
 */
export async function changesAfter(
  tx: Tx,
  after: JournalPlace,
  until: JournalPlace,
): Promise<ChangePage> {
  const places = await placesAfter(tx, after, until);
  const end = places.at(-1) ?? after;
  const { rows } = await tx.query<{ id: string; batch: string }>(
    `select id, max(batch) as batch
     from (
       select transaction_id as id, batch from movements
       where batch > $1 and batch <= $2 and transaction_id is not null
       union all
       select (payload->>'transaction_id')::uuid, batch from lineage_events
       where batch > $1 and batch <= $2 and source = 'ledger'
         and payload->>'transaction_id' is not null
     ) as touched
     group by id
     order by max(batch), id`,
    [after.sequence, end.sequence],
  );
  const batches = new Map(rows.map(({ id, batch }) => [id, BigInt(batch)]));
  const transactions = await findTransactions(tx, [...batches.keys()], "with disputes");
  return {
    places: [after, ...places],
    changes: transactions.map((transaction) => ({
      transaction,
      batch: batches.get(transaction.id) ?? end.sequence,
    })),
  };
}

async function placesAfter(tx: Tx, after: JournalPlace, until: JournalPlace) {
  const { rows } = await tx.query<PlaceRow & { total: string }>(
    `select sequence, hash, sum(entries) over (order by sequence) as total
     from batches where sequence > $1 and sequence <= $2
     order by sequence
     limit $3`,
    [after.sequence, until.sequence, BATCHES_MAX],
  );
  const fitting = rows.filter(({ total }, nth) => nth === 0 || Number(total) <= ENTRIES_MAX);
  return fitting.map(toPlace);
}
