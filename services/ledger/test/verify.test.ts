import { beforeAll, describe, expect, test } from "vitest";
import { verifyBooks } from "../src/postgres/verify.ts";
import type { Divergence } from "../src/store.ts";
import {
  depositOf,
  disputeOf,
  eur,
  openDatabase,
  openStores,
  recordOf,
  resolveOf,
  settleOf,
} from "./books.ts";
import { booksForFile } from "./opened.ts";
import { tamper, undone } from "./tamper.ts";

const { database, store } = await booksForFile();

const PENDING = "01990000-0000-7000-8000-000000000001";
const SETTLED = "01990000-0000-7000-8000-000000000002";
const FROZEN = "01990000-0000-7000-8000-000000000003";
const RULED = "01990000-0000-7000-8000-000000000004";

/** Books with a transaction in each state: ann has 1,000 less 60 settled, bob has 60. */
beforeAll(async () => {
  await store.commit([
    depositOf({ id: "d-1" }),
    recordOf({ id: PENDING }),
    recordOf({ id: SETTLED }),
    settleOf(SETTLED, eur(60)),
    recordOf({ id: FROZEN }),
    settleOf(FROZEN),
    disputeOf(FROZEN),
    recordOf({ id: RULED }),
    disputeOf(RULED),
    resolveOf(RULED, 5_000),
  ]);
});

/**
 * What verification finds after something was done to the tables that nobody should do, which is
 * then undone.
 */
async function findingsAfter(statement: string, most = 100): Promise<readonly Divergence[]> {
  return undone(database, async (tx) => {
    await tamper(tx, "in rows", () => tx.query(statement));
    return (await verifyBooks(tx, most)).divergences;
  });
}

const holdOf = (id: string) =>
  `(select id from movements where transaction_id = '${id}' and kind = 'HOLD')`;
const accountOf = (owner: string) => `(select id from accounts where owner = '${owner}')`;
const copyOf = (where: string) => `
  insert into movements (id, batch, nth, kind, debit_account, credit_account, amount, hold_id,
    transaction_id, transfer, created_at, hash)
  select gen_random_uuid(), batch, nth, kind, debit_account, credit_account, amount, hold_id,
    transaction_id, transfer, created_at, hash
  from movements where ${where}`;
const shiftOf = (raised: string, lowered: string, micros: number) => `
  update accounts set credits_posted = credits_posted + ${micros} where owner = '${raised}';
  update accounts set debits_posted = debits_posted + ${micros} where owner = '${lowered}'`;

describe("verification", () => {
  test("finds nothing wrong with books that nobody touched, and says what it looked at", async () => {
    const report = await store.verify({ divergencesMax: 100 });

    expect(report).toEqual({ accounts: 3n, movements: 11n, transactions: 4n, divergences: [] });
  });

  test.each<[string, string, string[]]>([
    [
      "a balance that was raised",
      "update accounts set credits_posted = credits_posted + 5 where owner = 'bob'",
      ["BALANCE_NOT_FOLD", "SUM_NOT_ZERO"],
    ],
    ["money that was shifted between accounts", shiftOf("bob", "ann", 5), ["BALANCE_NOT_FOLD"]],
    [
      "what was promised and is not among the debits",
      "update accounts set debits_posted = debits_posted - 1 where owner = 'ann'",
      ["BALANCE_NOT_FOLD", "SUM_NOT_ZERO"],
    ],
    [
      "a hold that names somebody else as who it is for",
      `update holds set payee = ${accountOf("@world")} where transaction_id = '${PENDING}'`,
      ["HELD_NOT_OPEN_HOLDS"],
    ],
    [
      "a hold that names nobody as who it is for",
      `update holds set payee = null where transaction_id = '${PENDING}'`,
      ["HELD_NOT_OPEN_HOLDS"],
    ],
    [
      "a debt that nobody has",
      "update accounts set owed = 5 where owner = 'bob'",
      ["OWED_NOT_DEBTS"],
    ],
    [
      "a movement whose amount was changed",
      "update movements set amount = 999 where transfer = 'd-1'",
      ["BALANCE_NOT_FOLD", "TRANSFER_MISMATCH"],
    ],
    [
      "a movement that was dropped",
      "delete from movements where transfer = 'd-1'",
      ["BALANCE_NOT_FOLD", "TRANSFER_MISMATCH"],
    ],
    [
      "a hold that was paid twice",
      copyOf(`kind = 'POST' and transaction_id = '${SETTLED}'`),
      ["BALANCE_NOT_FOLD", "HELD_NOT_OPEN_HOLDS", "HOLD_RESOLVED_TWICE", "TRANSACTION_NOT_FOLD"],
    ],
    [
      "a hold that was resolved in part",
      `delete from movements where kind = 'RELEASE' and transaction_id = '${SETTLED}'`,
      ["HELD_NOT_OPEN_HOLDS", "HOLD_RESOLVED_IN_PART"],
    ],
    [
      "a payment out of a hold that is gone",
      `delete from movements where id = ${holdOf(SETTLED)}`,
      ["AMOUNT_NOT_HELD", "HELD_NOT_OPEN_HOLDS", "HOLD_MISSING"],
    ],
    [
      "a payment out of a hold to someone else",
      `update movements set credit_account = ${accountOf("@world")}
       where kind = 'POST' and transaction_id = '${SETTLED}'`,
      ["BALANCE_NOT_FOLD", "HELD_NOT_OPEN_HOLDS", "HOLD_MISSING", "TRANSACTION_PARTY_MISMATCH"],
    ],
    [
      "a movement to an account that is not there",
      "update movements set credit_account = 999 where transfer = 'd-1'",
      ["BALANCE_NOT_FOLD", "MOVEMENT_MISDIRECTED", "TRANSFER_MISMATCH"],
    ],
    [
      "a movement across currencies",
      `insert into accounts (owner, currency, credits_posted, created_at)
         values ('carl', 'SAT', 1000, now());
       update movements set credit_account = ${accountOf("carl")} where transfer = 'd-1'`,
      ["BALANCE_NOT_FOLD", "MOVEMENT_MISDIRECTED", "SUM_NOT_ZERO", "TRANSFER_MISMATCH"],
    ],
    [
      "a transaction that claims to have been paid more",
      `update transactions set settled = 61 where id = '${SETTLED}'`,
      ["TRANSACTION_NOT_FOLD"],
    ],
    [
      "a transaction that forgot its hold",
      `update transactions set state = 'CANCELLED' where id = '${PENDING}';
       delete from holds where transaction_id = '${PENDING}'`,
      ["BALANCE_NOT_FOLD", "HELD_NOT_OPEN_HOLDS", "SUM_NOT_ZERO", "TRANSACTION_HOLD_MISMATCH"],
    ],
    [
      "a transaction that claims another hold",
      `update holds set amount = 99 where transaction_id = '${FROZEN}'`,
      [
        ...["BALANCE_NOT_FOLD", "DISPUTE_NOT_FROZEN", "HELD_NOT_OPEN_HOLDS", "SUM_NOT_ZERO"],
        "TRANSACTION_HOLD_MISMATCH",
      ],
    ],
    [
      "a dispute that is over before it has a ruling",
      `update transactions set state = 'SETTLED' where id = '${FROZEN}'`,
      ["DISPUTE_NOT_FROZEN", "TRANSACTION_HOLD_MISMATCH"],
    ],
    [
      "a dispute over more than was paid",
      `update disputes set amount = amount + 1 where transaction_id = '${FROZEN}'`,
      ["DISPUTE_NOT_FROZEN"],
    ],
    [
      "a dispute whose transaction was dropped",
      `delete from transactions where id = '${FROZEN}'`,
      ["DISPUTE_NOT_FROZEN", "TRANSACTION_HOLD_MISMATCH", "TRANSACTION_PARTY_MISMATCH"],
    ],
    [
      "a hold at somebody who is no party",
      `insert into accounts (owner, currency, debits_posted, created_at)
         values ('carl', 'EUR', 100, now());
       update accounts set debits_posted = debits_posted - 100 where owner = 'ann';
       update movements set debit_account = ${accountOf("carl")} where id = ${holdOf(PENDING)};
       update holds set account = ${accountOf("carl")} where transaction_id = '${PENDING}'`,
      ["TRANSACTION_PARTY_MISMATCH"],
    ],
    [
      "a transaction that was dropped after it was paid",
      `delete from transactions where id = '${SETTLED}'`,
      ["TRANSACTION_PARTY_MISMATCH"],
    ],
    [
      "a transaction whose provider was changed",
      `update transactions set provider_account = ${accountOf("@world")} where id = '${SETTLED}'`,
      ["TRANSACTION_PARTY_MISMATCH"],
    ],
    [
      "a transaction that claims to be cancelled though it was paid",
      `update transactions set state = 'CANCELLED' where id = '${SETTLED}'`,
      ["TRANSACTION_NOT_FOLD"],
    ],
    [
      "a transaction that lists no longer find at its time",
      `insert into chapters values (1, '2099-01-01');
       update transactions set chapter = 1 where id = '${SETTLED}'`,
      ["TRANSACTION_MISFILED"],
    ],
    [
      "a transaction that lists no longer find at all",
      `update transactions set chapter = -1 where id = '${SETTLED}'`,
      ["TRANSACTION_MISFILED"],
    ],
    [
      "a transaction whose amount was changed after it was held",
      `update transactions set amount = amount + 1 where id = '${PENDING}'`,
      ["AMOUNT_NOT_HELD"],
    ],
    [
      "a hold that no rule ends any more",
      `update holds set due_at = null where transaction_id = '${PENDING}'`,
      ["END_NOT_IN_TIME"],
    ],
    [
      "a hold that ends later than was agreed",
      `update holds set due_at = due_at + interval '1 ms' where transaction_id = '${PENDING}'`,
      ["END_NOT_IN_TIME"],
    ],
    [
      "a dispute that ends behind its last day",
      `update disputes set due_at = ruling_due + interval '1 ms' where transaction_id = '${FROZEN}'`,
      ["END_NOT_IN_TIME"],
    ],
    [
      "a dispute whose last day was put off for years",
      `update disputes set due_at = '2099-01-01', ruling_due = '2099-01-01'
       where transaction_id = '${FROZEN}'`,
      ["END_NOT_IN_TIME"],
    ],
    [
      "a deposit that was forgotten, so that it could be made again",
      "delete from transfers where id = 'd-1'",
      ["TRANSFER_MISMATCH"],
    ],
    [
      "a withdrawal that is said to be done and never was",
      `insert into transfers (kind, id, account, amount, task_id, burnt, created_at)
       values ('WITHDRAWAL', 'w-1', ${accountOf("ann")}, 5, '', false, now())`,
      ["TRANSFER_MISMATCH"],
    ],
    [
      "a withdrawal from an account that is not there",
      `insert into transfers (kind, id, account, amount, task_id, burnt, created_at)
       values ('WITHDRAWAL', 'w-1', 999, 5, '', false, now())`,
      ["TRANSFER_MISMATCH"],
    ],
    [
      "a deposit that was moved twice",
      `${copyOf("transfer = 'd-1'")};
       ${shiftOf("ann", "@world", 1_000)}`,
      ["TRANSFER_MISMATCH"],
    ],
    [
      "a payment without any hold or reason",
      `insert into movements (id, batch, nth, kind, debit_account, credit_account, amount, transfer,
         created_at, hash)
       values (gen_random_uuid(), 1, 1, 'TRANSFER', ${accountOf("ann")}, ${accountOf("bob")}, 5,
         'd-1', now(), '');
       ${shiftOf("bob", "ann", 5)}`,
      ["TRANSFER_MISMATCH"],
    ],
  ])("finds %s", async (_case, statement, checks) => {
    const found = await findingsAfter(statement);

    expect([...new Set(found.map(({ check }) => check))].sort()).toEqual(checks);
  });

  test("names the row, what it should be and what it is", async () => {
    const found = await findingsAfter(
      "update accounts set credits_posted = credits_posted + 5 where owner = 'bob'",
    );

    expect(found).toEqual([
      { check: "SUM_NOT_ZERO", subject: "EUR", expected: "0", found: "5" },
      {
        check: "BALANCE_NOT_FOLD",
        subject: "bob EUR",
        expected: "210 in, 0 out",
        found: "215 in, 0 out",
      },
    ]);
  });

  test("says of a cancelled transaction that it should have been paid nothing", async () => {
    const found = await findingsAfter(
      `update transactions set state = 'CANCELLED' where id = '${SETTLED}'`,
    );

    expect(found).toEqual([
      { check: "TRANSACTION_NOT_FOLD", subject: SETTLED, expected: "0", found: "60" },
    ]);
  });

  test("says by when a hold should have ended, and when it is to", async () => {
    const found = await findingsAfter(
      `update transactions set created_at = '2026-11-01T08:00:00Z', hold_ms = 60000 where id = '${PENDING}';
       update holds set due_at = '2026-11-01T08:02:00.5Z' where transaction_id = '${PENDING}'`,
    );

    expect(found).toEqual([
      {
        check: "END_NOT_IN_TIME",
        subject: PENDING,
        expected: "2026-11-01T08:01:00.000Z at the latest",
        found: "2026-11-01T08:02:00.500Z",
      },
    ]);
  });

  test("reports the first of each check before the second of any, up to a limit", async () => {
    const found = await findingsAfter(
      "update accounts set credits_posted = credits_posted + id; update holds set payee = 1 - account",
      4,
    );

    expect(found.map(({ check }) => check)).toEqual([
      "SUM_NOT_ZERO",
      "BALANCE_NOT_FOLD",
      "HELD_NOT_OPEN_HOLDS",
      "BALANCE_NOT_FOLD",
    ]);
  });

  test("takes time in proportion to the books, not to their square", async () => {
    await using large = await openDatabase();
    await large.pool.query(`
      insert into accounts (owner, currency, debits_posted, credits_posted, created_at)
      values ('ann', 'EUR', 20000, 0, now()), ('bob', 'EUR', 0, 20000, now());
      create temp table made as
        select gen_random_uuid() as id, gen_random_uuid() as hold from generate_series(1, 20000);
      insert into transactions (id, payer_account, provider_account, capability, amount, recorder,
        state, settled, hold_ms, created_at, updated_at, settled_at)
      select id, 1, 2, 'x', 1, 'operator', 'SETTLED', 1, 1, now(), now(), now() from made;
      insert into movement_rows (id, batch, nth, kind, debit_account, credit_account, amount, hold_id,
        transaction_id, created_at, hash)
      select hold, 1, 1, 'HOLD'::movement_kind, 1, 2, 1, null::uuid, id, now(), ''::bytea from made
      union all
      select gen_random_uuid(), 1, 1, 'POST'::movement_kind, 1, 2, 1, hold, id, now(), ''::bytea from made;
      analyze`);
    const client = await large.pool.connect();
    try {
      await client.query("set statement_timeout = '5s'");

      const report = await verifyBooks(client, 100);

      expect(report.divergences).toEqual([]);
      expect(report.transactions).toBe(20_000n);
    } finally {
      client.release(true);
    }
  });

  test("tells where the journal is not as it was written", async () => {
    await using other = await openDatabase();
    const { ledger } = openStores(other);
    await ledger.commit([depositOf({ id: "d-1" }), depositOf({ id: "d-2" })]);
    await other.pool.query(`
      begin;
      set local session_replication_role = replica;
      update movement_rows set created_at = now() - interval '1 day' where nth = 1;
      commit`);
    const { rows } = await other.pool.query("select id from movements where nth = 1");

    const { divergences } = await ledger.verify({ divergencesMax: 10 });

    expect(divergences).toEqual([
      {
        check: "CHAIN_BROKEN",
        subject: rows[0].id,
        expected: "as it was written",
        found: `ENTRY_CHANGED in batch 1: ${rows[0].id} is not as it was written`,
      },
    ]);
  });

  test("holds while the books go on", async () => {
    const going = Array.from({ length: 40 }, async () => {
      const record = recordOf({ amount: eur(1) });
      await store.commit([record]);
      await store.commit([settleOf(record.terms.id)]);
    });

    const reports = await Promise.all(
      Array.from({ length: 5 }, () => store.verify({ divergencesMax: 10 })),
    );
    await Promise.all(going);

    expect(reports.flatMap(({ divergences }) => divergences)).toEqual([]);
  });
});
