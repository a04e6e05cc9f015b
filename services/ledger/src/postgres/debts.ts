import type { Tx } from "@bourse/postgres";
import type { Transaction } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

/** The ids of the transactions by which each of these accounts owes something, in their order. */
export async function findDebts(
  tx: Tx,
  debtors: readonly bigint[],
): Promise<ReadonlyMap<bigint, readonly string[]>> {
  if (debtors.length === 0) return new Map();
  const { rows } = await tx.query<{ debtor_account: string; transaction_id: string }>(
    `select debtor_account, transaction_id from debts
     where debtor_account = any($1::bigint[])
     order by debtor_account, transaction_id`,
    [arrayLiteral(debtors)],
  );
  const byDebtor = Map.groupBy(rows, (row) => BigInt(row.debtor_account));
  return new Map(
    debtors.map((id) => [id, (byDebtor.get(id) ?? []).map((row) => row.transaction_id)]),
  );
}

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
