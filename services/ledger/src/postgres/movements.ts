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
  readonly reference: string;
  readonly hold_id: string | null;
  readonly created_at: Date;
}

const LINES = `
  select m.id, m.kind, debit.owner as debit_owner, credit.owner as credit_owner, debit.currency,
    m.amount, m.reference, m.hold_id, m.created_at
  from movements m
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
    reference: row.reference,
    holdId: row.hold_id ?? undefined,
    createdAt: row.created_at,
  };
}

const COLUMNS: Columns<Movement> = {
  id: { type: "uuid", of: (movement) => movement.id },
  kind: { type: "movement_kind", of: (movement) => movement.kind },
  debit_account: { type: "bigint", of: (movement) => movement.debit },
  credit_account: { type: "bigint", of: (movement) => movement.credit },
  amount: { type: "bigint", of: (movement) => movement.amount },
  reference: { type: "text", of: (movement) => movement.reference },
  hold_id: { type: "uuid", of: (movement) => movement.holdId },
  created_at: { type: "timestamptz", of: (movement) => movement.createdAt },
};

/** Writes movements in order. */
export async function insertMovements(tx: Tx, movements: readonly Movement[]): Promise<void> {
  await insertRows(tx, "movements", COLUMNS, movements);
}

/** All that the money of a transaction did, in order. */
export async function movementsOf(
  tx: Tx,
  transactionId: string,
): Promise<readonly StatementLine[]> {
  const { rows } = await tx.query<LineRow>(
    `${LINES}
     where m.reference = $1
       -- Deposits and credits bear ids of others' making, which may look the same.
       and m.kind <> 'TRANSFER'
     order by m.position`,
    [transactionId],
  );
  return rows.map(toLine);
}

/** The holds on an owner's accounts that are not resolved, oldest first. */
export async function openHoldsOf(
  tx: Tx,
  owner: string,
  limit: number,
): Promise<readonly StatementLine[]> {
  const { rows } = await tx.query<LineRow>(
    `${LINES}
     join transactions t on t.hold_id = m.id and t.hold_account = m.debit_account
     where debit.owner = $1
     order by m.position
     limit $2`,
    [owner, limit],
  );
  return rows.map(toLine);
}
