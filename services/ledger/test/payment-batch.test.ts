import { expect, test } from "vitest";
import { createWriters } from "../src/postgres.ts";
import { depositOf, eur, openStores, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database } = await booksForFile();

test("a batch reads the rows it changes, however few there were when Postgres last counted them", async () => {
  await using writers = createWriters(database.url, "ledger");
  const { ledger: store } = openStores(database, undefined, { writers });
  const holds = (count: number) =>
    Array.from({ length: count }, () => recordOf({ amount: eur(1) }));
  const settle = async (records: ReturnType<typeof holds>) =>
    store.commit(records.map(({ terms }) => settleOf(terms.id)));
  await store.commit([depositOf({ owner: "ann", amount: eur(1_000_000) })]);
  // So often that Postgres makes a plan for good.
  for (let nth = 0; nth < 10; nth += 1) {
    const records = holds(20);
    await store.commit(records);
    await settle(records);
  }
  await database.pool.query("vacuum analyze accounts, holds, transactions");
  const records = holds(1_000);
  await store.commit(records);
  const before = await rowsRead();

  await settle(records.slice(0, 20));

  // Each transaction and each hold, both accounts, and what the indexes hold of older versions of these.
  expect((await rowsRead()) - before).toBeLessThan(300);

  async function rowsRead(): Promise<number> {
    await writers.payments.query("select pg_stat_force_next_flush()");
    const { rows } = await database.pool.query<{ read: string }>(
      `select sum(idx_tup_read)::bigint + (select sum(seq_tup_read)::bigint from pg_stat_user_tables)
         as read
       from pg_stat_user_indexes where relname in ('accounts', 'holds', 'transactions')`,
    );
    return Number(rows[0]?.read);
  }
});

test("a payment by itself is written by the plan that batches are written by", async () => {
  await using writers = createWriters(database.url, "ledger");
  const { ledger: store } = openStores(database, undefined, { writers });
  await store.commit([depositOf({ owner: "dan", amount: eur(100) })]);

  // More often than Postgres makes plans for single uses before it looks what they cost.
  for (let nth = 0; nth < 12; nth += 1) {
    await store.commit([recordOf({ payer: "dan", amount: eur(1) })]);
  }

  const { rows } = await writers.payments.query(
    "select name, custom_plans::int as made_for_one from pg_prepared_statements",
  );
  expect(rows).toEqual([{ name: "payments", made_for_one: 0 }]);
});

test("an account gives up what room it has left when it is written, under lock or from memory", async () => {
  await using writers = createWriters(database.url, "ledger");
  const roads: string[] = [];
  const onRoad = (road: string) => void roads.push(road);
  const { ledger: store } = openStores(database, undefined, { writers, onRoad });

  await store.commit([depositOf({ owner: "carol", amount: eur(5) })]);

  expect(await withRoom()).toEqual([]);
  await database.pool.query("update accounts set room = default where owner = 'carol'");
  expect(await withRoom()).toEqual(["carol"]);

  await store.commit([depositOf({ owner: "carol", amount: eur(5) })]);

  expect(await withRoom()).toEqual([]);
  expect(roads).toEqual(["lock", "memory"]);

  async function withRoom(): Promise<string[]> {
    const { rows } = await database.pool.query<{ owner: string }>(
      "select owner from accounts where room <> ''",
    );
    return rows.map(({ owner }) => owner);
  }
});
