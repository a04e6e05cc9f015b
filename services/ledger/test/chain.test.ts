import type { Tx } from "@bourse/postgres";
import type { TestDatabase } from "@bourse/postgres/testing";
import { leafHash, merkleRoot } from "@bourse/proof";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchHash, GENESIS_HASH } from "../src/journal.ts";
import { verifyChain } from "../src/postgres/chain.ts";
import { batchesAfter, findEntry, leavesOf } from "../src/postgres/entries.ts";
import type { LedgerStore, LineageStore } from "../src/store.ts";
import { depositOf, openDatabase, openStores, recordOf, settleOf } from "./books.ts";
import { type Stored, tamper, undone } from "./tamper.ts";

let database: TestDatabase;
let stores: ReturnType<typeof openStores>;

const START = Date.parse("2026-11-21T12:00:00.000Z");

/**
 * Six batches at six times: a deposit; three holds; three events; two settlements; two events;
 * a deposit. So that batch 2 bears three movements, batch 3 three events, batch 4 two POSTs.
 */
beforeAll(async () => {
  database = await openDatabase();
  let time = START;
  stores = openStores(database, () => new Date(time++));
  await write(stores);
  await stores.log.checkpoint(4, {});
  await stores.log.checkpoint(undefined, {});
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

const TRANSACTIONS = [1, 2, 3].map((nth) => `01990000-0000-7000-8000-00000000000${nth}`);

async function write({ ledger, lineage }: { ledger: LedgerStore; lineage: LineageStore }) {
  const event = (nth: number) => ({
    eventId: `e/${nth}`,
    type: "task_awarded",
    eventTime: new Date(START),
    subjects: { winner: "bob" },
    taskId: "task-1",
    payload: { nth },
  });
  await ledger.commit([depositOf({ id: "d-1" })]);
  await ledger.commit(TRANSACTIONS.map((id) => recordOf({ id })));
  await lineage.append("auction", [1, 2, 3].map(event), {});
  await ledger.commit(TRANSACTIONS.slice(0, 2).map((id) => settleOf(id)));
  await lineage.append("auction", [4, 5].map(event), {});
  await ledger.commit([depositOf({ id: "d-2" })]);
}

/** The movement at a place of a batch, as SQL. */
const at = (batch: number, nth: number) =>
  `(select id from movements where batch = ${batch} and nth = ${nth})`;

/** Does to the tables what their triggers refuse, verifies, and takes it back: alike, however movements are stored. */
async function tampered(...statements: readonly string[]) {
  const [rows, pages] = [await report("in rows"), await report("in pages")];
  expect(pages).toEqual(rows);
  return rows;

  function report(stored: Stored) {
    return undone(database, async (tx) => {
      await tamper(tx, stored, async () => {
        for (const statement of statements) await tx.query(statement);
      });
      return await verifyChain(tx);
    });
  }
}

async function idOf(batch: number, nth: number): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>(`select ${at(batch, nth)} as id`);
  return rows[0]?.id ?? "";
}

const NEW_ID = "01990000-0000-7000-8000-0000000000ff";

test("a journal that nobody touched holds, whole", async () => {
  const report = await stores.lineage.verifyChain({});

  expect(report).toMatchObject({ entries: 12n, head: { sequence: 6n }, broken: undefined });
});

describe("a movement behind the ledger's back", () => {
  test("changed is named", async () => {
    const { broken } = await tampered(`update movements set amount = 99 where id = ${at(2, 1)}`);

    expect(broken).toMatchObject({
      sequence: 2n,
      fault: "ENTRY_CHANGED",
      entry: await idOf(2, 1),
    });
  });

  test.each([
    "debit_account = credit_account, credit_account = debit_account",
    "kind = 'TRANSFER'",
    "created_at = created_at + interval '1 ms'",
    "transaction_id = gen_random_uuid()",
    "hash = sha256('')",
  ])("with another %s is named", async (change) => {
    const { broken } = await tampered(`update movements set ${change} where id = ${at(2, 2)}`);

    expect(broken).toMatchObject({ fault: "ENTRY_CHANGED", entry: await idOf(2, 2) });
  });

  test("dropped is told by its place, its neighbours, and what still names it", async () => {
    const { broken } = await tampered(`delete from movements where id = ${at(2, 1)}`);
    const gone = await idOf(2, 1);

    expect(broken).toMatchObject({ sequence: 2n, fault: "ENTRY_MISSING", entry: gone });
    expect(broken?.detail).toBe(
      `entry 1 of 3 is gone: behind ${await idOf(2, 0)}, before ${await idOf(2, 2)}; ` +
        `it was movement ${gone}, the HOLD of transaction ${TRANSACTIONS[1]}`,
    );
  });

  test.each([
    ["an open HOLD", 2, 2, `the HOLD of transaction ${TRANSACTIONS[2]}`],
    ["a deposit", 6, 0, "it was the movement of DEPOSIT d-2"],
    ["a POST", 4, 1, "it was a POST or RELEASE of hold "],
  ])("dropped is told by what it left in the books: %s", async (_what, batch, nth, told) => {
    const { broken } = await tampered(`delete from movements where id = ${at(batch, nth)}`);

    expect(broken).toMatchObject({ sequence: BigInt(batch), fault: "ENTRY_MISSING" });
    expect(broken?.detail).toContain(told);
  });

  test("that were dropped by the dozen are told by the first place", async () => {
    const { broken } = await tampered("delete from movements where batch = 2");

    expect(broken).toMatchObject({ sequence: 2n, fault: "ENTRY_MISSING", entry: "" });
    expect(broken?.detail).toBe("entry 0 of 3 is gone: behind nothing, before nothing");
  });

  test("dropped at the end of its batch, with its followers moved up, is told", async () => {
    const { broken } = await tampered(
      `delete from movements where id = ${at(2, 0)}`,
      "update movements set nth = nth - 1 where batch = 2",
    );

    expect(broken).toMatchObject({ sequence: 2n, fault: "ENTRY_MISSING" });
  });

  const copy = (batch: string, nth: string) =>
    `insert into movements
     select ${batch}, debit_account, credit_account, amount, created_at, ${nth}, kind, '${NEW_ID}',
       transaction_id, hold_id, hash, transfer from movements where id = ${at(2, 1)}`;
  test.each<[string, readonly string[]]>([
    ["at a place of its own", [copy("2", "3")]],
    ["beside another", [copy("2", "1")]],
    [
      "between others",
      [
        copy("2", "0"),
        `update movements set nth = nth + 1 where batch = 2 and (nth > 0 or id = '${NEW_ID}')`,
      ],
    ],
    ["into a batch of events", [copy("3", "3")]],
    ["behind the last batch", [copy("7", "0")]],
    ["before the first batch", [copy("0", "0")]],
  ])("inserted %s is named", async (_where, statements) => {
    const { broken } = await tampered(
      ...statements,
      // Its hash fits what it says: only the batch knows that it does not belong.
      `update movements set hash = decode('${(await hashOfCopy()).toString("hex")}', 'hex')
       where id = '${NEW_ID}'`,
    );

    expect(broken).toMatchObject({ fault: "ENTRY_INSERTED", entry: NEW_ID });
  });

  test("inserted with the hash of another is named", async () => {
    const { broken } = await tampered(copy("2", "3"));

    expect(broken).toMatchObject({ fault: "ENTRY_CHANGED", entry: NEW_ID });
  });

  test("in the place of another of its batch is named, and so is the other", async () => {
    const { broken } = await tampered(
      "update movements set nth = 2 - nth where batch = 2 and nth <> 1",
    );

    expect(broken).toMatchObject({
      sequence: 2n,
      fault: "ENTRY_MISPLACED",
      entry: await idOf(2, 2),
      detail: `${await idOf(2, 2)} and ${await idOf(2, 0)} stand in each other's place`,
    });
  });

  test("in the place of one of another batch is named", async () => {
    const { broken } = await tampered(
      `update movements set batch = 6 - batch, nth = 1 - nth
       where id in (${at(2, 0)}, ${at(4, 1)})`,
    );

    expect(broken).toMatchObject({
      sequence: 2n,
      fault: "ENTRY_MISPLACED",
      entry: await idOf(4, 1),
    });
  });

  test("changed together with its hash is told by its batch", async () => {
    const { broken } = await tampered(
      copy("2", "1"),
      `delete from movements where batch = 2 and nth = 1 and id <> '${NEW_ID}'`,
      `update movements set hash = decode('${(await hashOfCopy()).toString("hex")}', 'hex')
       where id = '${NEW_ID}'`,
    );

    expect(broken).toMatchObject({ sequence: 2n, fault: "ROOT_MISMATCH", entry: "" });
  });
});

describe("an event behind the ledger's back", () => {
  const insert = (batch: number, nth: number) =>
    `insert into lineage_events
     select 6, ${batch}, ${nth}, 'e/6', type, event_time, record_time, source, subjects, task_id,
       payload, hash from lineage_events where event_id = 'e/2'`;
  const shown = (id: string) => `where event_id = '${id}'`;
  test.each<[string, readonly string[], object]>([
    [
      "changed",
      [`update lineage_events set payload = '{"nth":9}' ${shown("e/2")}`],
      { sequence: 3n, fault: "ENTRY_CHANGED", entry: "e/2" },
    ],
    [
      "with other subjects",
      [`update lineage_events set subjects = '{"winner":"p-1"}' ${shown("e/4")}`],
      { sequence: 5n, fault: "ENTRY_CHANGED", entry: "e/4" },
    ],
    [
      "dropped",
      [`delete from lineage_events ${shown("e/2")}`],
      {
        sequence: 3n,
        fault: "ENTRY_MISSING",
        detail: "entry 1 of 3 is gone: behind e/1, before e/3",
      },
    ],
    [
      "dropped at the end",
      [`delete from lineage_events ${shown("e/5")}`],
      { fault: "ENTRY_MISSING", detail: "entry 1 of 2 is gone: behind e/4, before nothing" },
    ],
    ["inserted", [insert(3, 3)], { fault: "ENTRY_CHANGED", entry: "e/6" }],
    [
      "in the place of another",
      [`update lineage_events set nth = 1 - nth where batch = 5`],
      {
        sequence: 5n,
        fault: "ENTRY_MISPLACED",
        entry: "e/5",
        detail: "e/5 and e/4 stand in each other's place",
      },
    ],
    [
      "in the place of one of another batch",
      [`update lineage_events set batch = 8 - batch ${shown("e/1")} or event_id = 'e/4'`],
      { sequence: 3n, fault: "ENTRY_MISPLACED", entry: "e/4" },
    ],
    [
      "told at another's sequence",
      [
        "alter table lineage_events drop constraint lineage_events_pkey",
        "update lineage_events set sequence = 3 - sequence where sequence < 3",
      ],
      { sequence: 3n, fault: "ENTRY_CHANGED", entry: "e/1" },
    ],
  ])("%s is named", async (_how, statements, expected) => {
    const { broken } = await tampered(...statements);

    expect(broken).toMatchObject(expected);
  });
});

describe("a batch behind the ledger's back", () => {
  test.each<[string, readonly string[], object]>([
    [
      "changed",
      ["update batches set recorded_at = now() where sequence = 3"],
      { sequence: 3n, fault: "HASH_MISMATCH" },
    ],
    [
      "given another root",
      ["update batches set root = sha256('') where sequence = 3"],
      { sequence: 3n, fault: "HASH_MISMATCH" },
    ],
    [
      "given another hash",
      ["update batches set hash = sha256('') where sequence = 3"],
      { sequence: 3n, fault: "HASH_MISMATCH" },
    ],
    ["dropped", ["delete from batches where sequence = 3"], { fault: "SEQUENCE_GAP" }],
    [
      "dropped at the end",
      ["delete from batches where sequence = 6"],
      { sequence: 6n, fault: "HEAD_MISMATCH" },
    ],
    [
      "dropped at the end, the head moved back",
      [
        "delete from batches where sequence = 6",
        "delete from movements where batch = 6",
        "update journal_head set sequence = 5, hash = (select hash from batches where sequence = 5)",
      ],
      { sequence: 6n, fault: "CHECKPOINT_MISMATCH" },
    ],
    ["whose head is gone", ["delete from journal_head"], { fault: "HEAD_MISMATCH" }],
  ])("%s is told", async (_how, statements, expected) => {
    expect((await tampered(...statements)).broken).toMatchObject(expected);
  });

  test("made anew, with everything behind it, is told by the checkpoints", async () => {
    await undone(database, async (tx) => {
      await tamper(tx, "in pages", async () => {
        await tx.query("update movements set amount = 1 where batch = 1");
        await rewriteJournal(tx);
      });

      expect((await verifyChain(tx)).broken).toMatchObject({
        sequence: 4n,
        fault: "CHECKPOINT_MISMATCH",
      });
      await tx.query("delete from checkpoints");
      expect((await verifyChain(tx)).broken).toBeUndefined();
    });
  });
});

/** What a determined forger does: hashes, roots, batches and head, all made to fit the rows. */
async function rewriteJournal(tx: Tx): Promise<void> {
  let previous: Buffer = GENESIS_HASH;
  for (const batch of await batchesAfter(tx, 0n, 1_000)) {
    const leaves = await leavesOf(tx, batch.sequence - 1n, batch.sequence);
    const entries = leaves.get(batch.sequence) ?? [];
    for (const { entry, made } of entries) {
      await tx.query("update movements set hash = $2 where id::text = $1", [entry, made]);
      await tx.query("update lineage_events set hash = $2 where event_id = $1", [entry, made]);
    }
    const root = merkleRoot(entries.map(({ made }) => made));
    const hash = batchHash(previous, { ...batch, root });
    const values = [batch.sequence, root, hash];
    await tx.query("update batches set root = $2, hash = $3 where sequence = $1", values);
    previous = hash;
  }
  await tx.query("update journal_head set hash = $1", [previous]);
}

/** The hash that a copy of the second hold under a new id must have. */
async function hashOfCopy(): Promise<Buffer> {
  const copied = await findEntry(
    database.pool,
    { kind: "movement", id: await idOf(2, 1) },
    undefined,
  );
  return leafHash((copied?.text ?? "").replace(await idOf(2, 1), NEW_ID));
}
