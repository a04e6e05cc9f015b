import type { Tx } from "@bourse/postgres";
import type { Debts } from "../books.ts";
import type { Transaction } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

/** Accounts, and how many micros of their first debts are wanted. */
export type Debtors = ReadonlyMap<bigint, bigint>;

interface DebtRow {
  readonly debtor_account: string;
  readonly transaction_id: string;
  readonly total: string;
}

/**
 * The first debts of accounts, so many that they come to what is wanted. An account may owe by more
 * transactions than a batch should lock for a payment that covers a few.
 */
export async function findDebts(tx: Tx, debtors: Debtors): Promise<ReadonlyMap<bigint, Debts>> {
  if (debtors.size === 0) return new Map();
  const { rows } = await tx.query<DebtRow>(
    `select debtor_account, transaction_id, total
     from (
       select debtor_account, transaction_id,
         sum(amount) over (partition by debtor_account order by transaction_id) - amount as before,
         count(*) over (partition by debtor_account) as total
       from debts
       where debtor_account = any($1::bigint[])
     ) as debt
     join unnest($1::bigint[], $2::numeric[]) as wanted (debtor_account, reach)
       using (debtor_account)
     where before < reach
     order by debtor_account, transaction_id`,
    [arrayLiteral([...debtors.keys()]), arrayLiteral([...debtors.values()])],
  );
  const byDebtor = Map.groupBy(rows, (row) => BigInt(row.debtor_account));
  return new Map([...debtors.keys()].map((id) => [id, toDebts(byDebtor.get(id) ?? [])]));
}

function toDebts(rows: readonly DebtRow[]): Debts {
  const ids = rows.map((row) => row.transaction_id);
  const all = rows.length === 0 || rows.length === Number(rows[0]?.total);
  return { ids, through: all ? undefined : ids.at(-1) };
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
