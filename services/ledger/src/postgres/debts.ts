import type { Tx } from "@bourse/postgres";
import type { Transaction } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

interface Debt {
  readonly transactionId: string;
  readonly debtor: bigint;
  readonly creditor: bigint;
  readonly amount: bigint;
}

/** Makes the table of debts what the transactions say that providers owe. */
export async function saveDebts(
  tx: Tx,
  transactions: readonly Transaction[],
  before: ReadonlyMap<string, Transaction>,
  accountOf: (owner: string, currency: string) => bigint,
  now: Date,
): Promise<void> {
  const changed = transactions.filter(({ id, owed }) => owed !== (before.get(id)?.owed ?? 0n));
  if (changed.length === 0) return;
  const paid = changed.filter(({ owed }) => owed === 0n).map(({ id }) => id);
  await tx.query(`delete from debts where transaction_id = any($1::uuid[])`, [arrayLiteral(paid)]);
  const columns: Columns<Debt> = {
    transaction_id: { type: "uuid", of: (debt) => debt.transactionId },
    debtor_account: { type: "bigint", of: (debt) => debt.debtor },
    creditor_account: { type: "bigint", of: (debt) => debt.creditor },
    amount: { type: "bigint", of: (debt) => debt.amount },
    created_at: { type: "timestamptz", of: () => now },
  };
  const open = changed
    .filter(({ owed }) => owed > 0n)
    .map(({ id, payer, provider, owed, amount: { currency } }) => ({
      transactionId: id,
      debtor: accountOf(provider, currency),
      creditor: accountOf(payer, currency),
      amount: owed,
    }));
  await insertRows(
    tx,
    "debts",
    columns,
    open,
    "(transaction_id) do update set amount = excluded.amount",
  );
}
