import type { Tx } from "@bourse/postgres";
import type { Movement, MovementKind, StatementLine } from "../movement.ts";
import { type Columns, insertRows } from "./rows.ts";

interface LineRow {
  readonly id: string;
  readonly kind: MovementKind;
  readonly debit_owner: string;
  readonly credit_owner: string;
  readonly currency: string;
  readonly amount: string;
  readonly transaction_id: string | null;
  readonly transfer: string | null;
  readonly hold_id: string | null;
  readonly created_at: Date;
}

const linesOf = (source: string) => `
  select m.id, m.kind, debit.owner as debit_owner, credit.owner as credit_owner, debit.currency,
    m.amount, m.transaction_id, m.transfer, m.hold_id, m.created_at
  from ${source} m
  join accounts debit on debit.id = m.debit_account
  join accounts credit on credit.id = m.credit_account`;

function toLine(row: LineRow): StatementLine {
  return {
    id: row.id,
    kind: row.kind,
    debitOwner: row.debit_owner,
    creditOwner: row.credit_owner,
    currency: row.currency,
    amount: BigInt(row.amount),
    reference: row.transaction_id ?? row.transfer ?? "",
    holdId: row.hold_id ?? undefined,
    createdAt: row.created_at,
  };
}

/** Where movements stand, with a partition for each month; the view `movements` shows all. */
export const MOVEMENT_TABLES = ["movement_pages", "movement_rows"] as const;

/** A movement and its place in the journal. */
export interface Entry {
  readonly movement: Movement;
  readonly batch: bigint;
  readonly nth: number;
  readonly hash: Buffer;
}

const COLUMNS: Columns<Entry> = {
  batch: { type: "bigint", of: (entry) => entry.batch },
  debit_account: { type: "bigint", of: ({ movement }) => movement.debit },
  credit_account: { type: "bigint", of: ({ movement }) => movement.credit },
  amount: { type: "bigint", of: ({ movement }) => movement.amount },
  created_at: { type: "timestamptz", of: ({ movement }) => movement.createdAt },
  nth: { type: "integer", of: (entry) => entry.nth },
  kind: { type: "movement_kind", of: ({ movement }) => movement.kind },
  id: { type: "uuid", of: ({ movement }) => movement.id },
  transaction_id: { type: "uuid", of: ({ movement }) => movement.transactionId },
  hold_id: { type: "uuid", of: ({ movement }) => movement.holdId },
  hash: { type: "bytea", of: (entry) => entry.hash },
  transfer: { type: "text", of: ({ movement }) => movement.transfer },
};

/** Writes movements in order, as those of a batch that was decided under lock. */
export async function insertMovements(tx: Tx, entries: readonly Entry[]): Promise<void> {
  await insertRows(tx, "movement_rows", COLUMNS, entries);
}

/** All that the money of a transaction did, in order. */
export async function movementsOf(
  tx: Tx,
  transactionId: string,
): Promise<readonly StatementLine[]> {
  const { rows } = await tx.query<LineRow>(
    `${linesOf("movements_of($1::uuid[])")} order by m.batch, m.nth`,
    [[transactionId]],
  );
  return rows.map(toLine);
}

/** What the money of each of these transactions did, in order; at most the first `most` of each. */
export async function movementsOfAll(
  tx: Tx,
  transactionIds: readonly string[],
  most: number,
): Promise<ReadonlyMap<string, readonly StatementLine[]>> {
  const { rows } = await tx.query<LineRow>(
    `with wanted as (
       select *, row_number() over (partition by transaction_id order by batch, nth) as place
       from movements_of($1::uuid[])
     )
     ${linesOf("wanted")}
     where m.place <= $2
     order by m.batch, m.nth`,
    [transactionIds, most],
  );
  return Map.groupBy(rows.map(toLine), ({ reference }) => reference);
}

/** The holds on an owner's accounts that are not resolved, oldest first. */
export async function openHoldsOf(
  tx: Tx,
  owner: string,
  limit: number,
): Promise<readonly StatementLine[]> {
  const { rows } = await tx.query<LineRow>(
    `with open as (
       select h.id, h.transaction_id from accounts a
       cross join lateral (
         select id, transaction_id from holds where account = a.id order by id limit $2
       ) as h
       where a.owner = $1
       order by h.id
       limit $2
     )
     ${linesOf("open cross join lateral movements_of(array[open.transaction_id])")}
     where m.id = open.id
     order by m.id`,
    [owner, limit],
  );
  return rows.map(toLine);
}
