import type { Tx } from "@bourse/postgres";
import type { TestDatabase } from "@bourse/postgres/testing";

/** Does something in a transaction that is then rolled back. */
export async function undone<T>(
  { pool }: Pick<TestDatabase, "pool">,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    return await work(client);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

/** How movements are stored: one to a row, or several to a row, as those of payments. */
export type Stored = "in rows" | "in pages";

/**
 * Does to the tables what their triggers refuse, within a transaction that is `undone`. Statements find all
 * movements in a table `movements`, one to a row, wherever they stand; afterwards all are stored in the same way.
 */
export async function tamper(tx: Tx, stored: Stored, work: () => Promise<unknown>): Promise<void> {
  // A temporary table comes before the view of the same name.
  await tx.query(`
    set local session_replication_role = replica;
    create temp table movements on commit drop as select * from movements`);
  await work();
  await tx.query(`
    delete from movement_pages;
    delete from movement_rows;
    alter table movement_rows drop constraint movements_two_accounts;
    ${STORE[stored]};
    drop table pg_temp.movements`);
}

const STORE: Readonly<Record<Stored, string>> = {
  "in rows": "insert into movement_rows select * from movements",
  "in pages": `
    insert into movement_pages (batch, recorded_at, nth, first_id, last_id, movements)
    select batch, created_at, min(nth), (array_agg(id order by id))[1],
      (array_agg(id order by id desc))[1],
      array_agg(row(debit_account, credit_account, amount, kind, id, transaction_id, hold_id,
        transfer, nth, hash)::payment_movement::paged_movement order by nth)
    from movements group by batch, created_at, nth / 2`,
};
