import { randomUUIDv7 } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Movement } from "../src/movement.ts";
import { findEntry } from "../src/postgres/entries.ts";
import { pagesOf } from "../src/postgres/movement-pages.ts";
import { movementsOfAll } from "../src/postgres/movements.ts";
import { verifyBooks } from "../src/postgres/verify.ts";
import type { LedgerStore, Road } from "../src/store.ts";
import { cancelOf, depositOf, eur, openStores, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";
import { undone } from "./tamper.ts";

const { database } = await booksForFile();
const roads: Road[] = [];
/** A new process for each test: one that was lately stale decides under lock for a while. */
let store: LedgerStore;

let [payer, provider] = ["", ""];
beforeEach(async () => {
  store = openStores(database, undefined, { onRoad: (road) => roads.push(road) }).ledger;
  const run = randomUUIDv7();
  [payer, provider] = [`payer-${run}`, `provider-${run}`];
  await store.commit([depositOf({ owner: payer }), depositOf({ owner: provider })]);
  roads.length = 0;
});

const payment = () => recordOf({ payer, provider, amount: eur(2) });

test("movements go to pages in their order, as many to each as fit a page of Postgres", () => {
  const movement = (transfer: string | undefined, nth: number): Movement => ({
    ...{ id: randomUUIDv7(), kind: "TRANSFER", debit: 1n, credit: 2n, amount: 1n },
    ...{ transactionId: transfer === undefined ? `${nth}` : undefined, holdId: undefined },
    ...{ transfer, createdAt: new Date(0) },
  });
  const transfers = fc.array(fc.option(fc.string({ maxLength: 64 }), { nil: undefined }), {
    maxLength: 500,
  });
  fc.assert(
    fc.property(transfers, (ids) => {
      const movements = ids.map(movement);

      const pages = pagesOf(movements);

      expect(pages.flatMap((page) => page.movements)).toEqual(movements);
      let nth = 0;
      for (const page of pages) {
        expect(page.nth).toBe(nth);
        expect(page.movements.length).toBeGreaterThan(0);
        expect(page.movements.length).toBeLessThanOrEqual(64);
        nth += page.movements.length;
      }
    }),
  );
});

test("deposits with the longest ids fit their pages", async () => {
  const deposits = Array.from({ length: 300 }, (_, nth) =>
    depositOf({
      owner: payer,
      id: `${randomUUIDv7()}-`.padEnd(60, "x") + `${nth}`.padStart(4, "0"),
    }),
  );

  await store.commit(deposits);

  expect(roads).toEqual(["memory"]);
  const { rows } = await database.pool.query(
    "select count(*)::int as stored from movements where transfer = any($1)",
    [deposits.map(({ id }) => id)],
  );
  expect(rows).toEqual([{ stored: 300 }]);
});

describe("movements of a payment are found", () => {
  test("from its transaction, wherever they stand", async () => {
    const records = Array.from({ length: 240 }, payment);
    const ids = records.map(({ terms }) => terms.id);
    const parts = (begin: number) => ids.slice(begin, begin + 60);
    // The first sixty end in the batch that they begin with.
    await store.commit([...records, ...parts(0).map((id) => settleOf(id, eur(1)))]);
    await store.commit([
      ...parts(60).map((id) => settleOf(id, eur(1))),
      ...parts(120).map((id) => settleOf(id)),
      ...parts(180).map(cancelOf),
    ]);

    const found = await movementsOfAll(database.pool, ids, 10);

    expect(roads).toEqual(["memory", "memory"]);
    const kinds = ids.map((id) =>
      found
        .get(id)
        ?.map(({ kind }) => kind)
        .join(" "),
    );
    expect(kinds).toEqual([
      ...parts(0).map(() => "HOLD POST RELEASE"),
      ...parts(60).map(() => "HOLD POST RELEASE"),
      ...parts(120).map(() => "HOLD POST"),
      ...parts(180).map(() => "HOLD RELEASE"),
    ]);
  });

  test("by their ids, when several processes wrote at the same time", async () => {
    const { ledger: other } = openStores(database);
    for (const writer of [store, other, store, other]) {
      await writer.commit(Array.from({ length: 70 }, payment));
    }
    const { rows } = await database.pool.query<{ id: string }>("select id from movements");

    for (const { id } of rows) {
      const entry = await findEntry(database.pool, { kind: "movement", id }, undefined);
      expect(entry?.text).toContain(id);
    }
    const unknown = { kind: "movement", id: randomUUIDv7() } as const;
    expect(await findEntry(database.pool, unknown, undefined)).toBeUndefined();
    expect(rows.length).toBeGreaterThan(280);
  });

  test("when a process of before ended it, which writes them one by one", async () => {
    const record = payment();
    const { id } = record.terms;
    await store.commit([record]);
    await undone(database, async (tx) => {
      await tx.query(
        `insert into movements (batch, debit_account, credit_account, amount, created_at, nth, kind,
           id, transaction_id, hold_id, hash, transfer)
         select batch + 1, debit_account, credit_account, amount, created_at, nth, 'RELEASE', $2,
           transaction_id, id, hash, null
         from movements where transaction_id = $1`,
        [id, randomUUIDv7()],
      );

      const found = await movementsOfAll(tx, [id], 10);

      expect(found.get(id)?.map(({ kind }) => kind)).toEqual(["HOLD", "RELEASE"]);
    });
  });
});

test.each([
  ["a transaction that tells another place of its hold", "begun_nth = begun_nth + 1"],
  ["a transaction that tells no place of its hold", "begun_nth = null"],
  ["a transaction that tells another place of its end", "ended_nth = ended_nth + 1"],
  ["a transaction that tells another time of its end", "ended_at = ended_at + interval '1 ms'"],
])("verification finds %s", async (_what, change) => {
  expect(await findingsAfter(`update transactions set ${change} where id = $1`)).toEqual([
    "MOVEMENT_MISPLACED",
  ]);
});

test.each([
  ["a page that stands at another place", "nth = nth + 1"],
  ["a page that tells fewer ids than it has", "last_id = first_id"],
])("verification finds %s", async (_what, change) => {
  const found = await findingsAfter(
    `update movement_pages set ${change}
     where exists (select from unnest(movements) where transaction_id = $1)`,
  );

  expect(new Set(found)).toEqual(new Set(["MOVEMENT_MISPLACED"]));
});

/** What is found when a statement on a payment that is $1 is run, which is then undone. */
async function findingsAfter(statement: string): Promise<readonly string[]> {
  const records = [payment(), payment()];
  const [, { terms }] = records as [unknown, ReturnType<typeof payment>];
  await store.commit(records);
  await store.commit(records.map((record) => settleOf(record.terms.id)));
  return undone(database, async (tx) => {
    await tx.query("set local session_replication_role = replica");
    await tx.query(statement, [terms.id]);
    return (await verifyBooks(tx, 10)).divergences.map(({ check }) => check);
  });
}
