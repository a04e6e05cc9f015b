import type { Tx } from "@bourse/postgres";
import { arrayLiteral } from "./rows.ts";

/** What stands beside a transaction: its open hold and its debt. */
export interface SideRow {
  readonly hold_id: string | null;
  readonly hold_account: string | null;
  readonly hold_amount: string | null;
  readonly due_at: Date | null;
  readonly owed: string | null;
}

/** The columns of a SideRow, of a query that joins WITH_SIDES. */
export const SIDE_COLUMNS = `h.id as hold_id, h.account as hold_account, h.amount as hold_amount,
  h.due_at, d.amount as owed`;

/** Joins what stands beside each transaction `t`. */
export const WITH_SIDES = `left join holds h on h.transaction_id = t.id
  left join debts d on d.transaction_id = t.id`;

/**
 * What stands beside transactions that are locked. Apart from their lock, since a statement that
 * has waited for a row sees that row as it is by then, but all that it joins as it was when the
 * statement began.
 */
export async function sidesOf(
  tx: Tx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SideRow>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<SideRow & { readonly id: string }>({
    name: "sides of transactions",
    text: `select t.id, ${SIDE_COLUMNS} from unnest($1::uuid[]) as t (id) ${WITH_SIDES}`,
    values: [arrayLiteral(ids)],
  });
  return new Map(rows.map(({ id, ...side }) => [id, side]));
}
