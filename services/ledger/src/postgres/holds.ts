import type { Tx } from "@bourse/postgres";
import type { OpenHold, Transaction } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

interface Open extends OpenHold {
  readonly transactionId: string;
  readonly payee: bigint;
}

const COLUMNS: Columns<Open> = {
  transaction_id: { type: "uuid", of: (hold) => hold.transactionId },
  id: { type: "uuid", of: (hold) => hold.id },
  account: { type: "bigint", of: (hold) => hold.account },
  payee: { type: "bigint", of: (hold) => hold.payee },
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
  accountOf: (owner: string, currency: string) => bigint,
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
  const open = changed.flatMap((transaction): Open[] => {
    const { id, hold, payer, provider, amount } = transaction;
    if (hold === undefined) return [];
    const parties = [payer, provider].map((owner) => accountOf(owner, amount.currency));
    const payee = parties.find((party) => party !== hold.account);
    return payee === undefined ? [] : [{ ...hold, transactionId: id, payee }];
  });
  await insertRows(tx, "holds", COLUMNS, open);
}
