import type { Tx } from "@bourse/postgres";
import type { Transfer, TransferKind } from "../books.ts";
import { type Columns, insertRows } from "./rows.ts";

interface TransferRow {
  readonly kind: TransferKind;
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  readonly amount: string;
  readonly task_id: string;
  readonly burnt: boolean;
}

/** The deposits, withdrawals and credits that were asked under these ids before. */
export async function findTransfers(
  tx: Tx,
  wanted: readonly { readonly kind: TransferKind; readonly id: string }[],
): Promise<readonly Transfer[]> {
  if (wanted.length === 0) return [];
  const { rows } = await tx.query<TransferRow>(
    `select t.kind, t.id, a.owner, a.currency, t.amount, t.task_id, t.burnt
     from transfers t
     join unnest($1::transfer_kind[], $2::text[]) as wanted (kind, id) on (t.kind, t.id) = (wanted.kind, wanted.id)
     join accounts a on a.id = t.account`,
    [wanted.map(({ kind }) => kind), wanted.map(({ id }) => id)],
  );
  return rows.map(({ task_id, amount, ...row }) => ({
    ...row,
    amount: BigInt(amount),
    taskId: task_id,
  }));
}

/** How a transfer is written; `accountOf` tells the id of an owner's account. */
export function transferColumns(
  accountOf: (owner: string, currency: string) => bigint | undefined,
): Columns<Transfer> {
  return {
    kind: { type: "transfer_kind", of: (transfer) => transfer.kind },
    id: { type: "text", of: (transfer) => transfer.id },
    account: { type: "bigint", of: ({ owner, currency }) => accountOf(owner, currency) },
    amount: { type: "bigint", of: (transfer) => transfer.amount },
    task_id: { type: "text", of: (transfer) => transfer.taskId },
    burnt: { type: "boolean", of: (transfer) => transfer.burnt },
  };
}

/** Remembers deposits, withdrawals and credits, also the burnt ones. */
export async function insertTransfers(
  tx: Tx,
  transfers: readonly Transfer[],
  accountOf: (owner: string, currency: string) => bigint,
  now: Date,
): Promise<void> {
  const created = { created_at: { type: "timestamptz", of: () => now } };
  const columns = { ...transferColumns(accountOf), ...created };
  // In the order of their keys, so that two batches which share several cannot wait for each other.
  const sorted = transfers.toSorted((a, b) => (a.kind + a.id < b.kind + b.id ? -1 : 1));
  await insertRows(tx, "transfers", columns, sorted);
}
