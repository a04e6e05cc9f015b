import type { Tx } from "@bourse/postgres";
import type { OpenHold, Transaction } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

interface Open extends OpenHold {
  readonly transactionId: string;
}

const COLUMNS: Columns<Open> = {
  transaction_id: { type: "uuid", of: (hold) => hold.transactionId },
  id: { type: "uuid", of: (hold) => hold.id },
  account: { type: "bigint", of: (hold) => hold.account },
  amount: { type: "bigint", of: (hold) => hold.amount },
  due_at: { type: "timestamptz", of: (hold) => hold.dueAt },
};

/**
 * Makes the table of open holds what the transactions say: those that ended are removed, new ones
 * added, changed ones both.
 */
export async function saveHolds(
  tx: Tx,
  transactions: readonly Transaction[],
  before: ReadonlyMap<string, Transaction>,
): Promise<void> {
  const changed = transactions.filter(({ id, hold }) => {
    const old = before.get(id)?.hold;
    return old?.id !== hold?.id || old?.dueAt?.getTime() !== hold?.dueAt?.getTime();
  });
  const gone = changed.filter(({ id }) => before.get(id)?.hold !== undefined).map(({ id }) => id);
  if (gone.length > 0) {
    await tx.query({
      name: "delete holds",
      text: `delete from holds where transaction_id = any($1::uuid[])`,
      values: [arrayLiteral(gone)],
    });
  }
  const open = changed.flatMap(({ id, hold }) => (hold ? [{ ...hold, transactionId: id }] : []));
  await insertRows(tx, "holds", COLUMNS, open);
}
