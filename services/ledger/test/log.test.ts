import type { TestDatabase } from "@bourse/postgres/testing";
import {
  checkConsistency,
  checkProof,
  checkpointText,
  consistencyDocument,
  isConsistent,
  merkleRoot,
  proofDocument,
} from "@bourse/proof";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keepCheckpoints } from "../src/checkpoints.ts";
import type { EntryName, LedgerProof, LogStore } from "../src/log.ts";
import { completeTiles } from "../src/postgres/log.ts";
import { depositOf, openDatabase, openStores, recordOf } from "./books.ts";

const NOON = new Date("2026-11-21T12:00:00.000Z");
/** Two whole tiles of 256 batches, and a part of one. */
const SIZE = 600;
const HOLD = "01990000-0000-7000-8000-000000000001";

let database: TestDatabase;
let stores: ReturnType<typeof openStores>;
let log: LogStore;

beforeAll(async () => {
  database = await openDatabase();
  stores = openStores(database, () => NOON);
  log = stores.log;
  await stores.ledger.commit([depositOf({ id: "d-1" }), recordOf({ id: HOLD }), recordOf()]);
  await append(2, SIZE);
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

/** Writes events `e/<nth>`, each as a batch of its own. */
async function append(from: number, to: number): Promise<void> {
  for (let nth = from; nth <= to; nth += 1) {
    const event = {
      eventId: `e/${nth}`,
      type: "task_awarded",
      eventTime: NOON,
      subjects: { winner: nth % 2 === 0 ? "bob" : "cem" },
      taskId: "task-1",
      payload: { nth, note: "très 好" },
    };
    await stores.lineage.append("auction", [event], {});
  }
}

const event = (nth: number): EntryName => ({ kind: "event", id: `e/${nth}` });
const prove = (entry: EntryName, size?: number, viewer?: string) =>
  log.prove(entry, size, { viewer });

function check({ checkpoint, ...proof }: LedgerProof) {
  return checkProof(proofDocument({ ...proof, checkpoint: checkpointText(checkpoint) }));
}

describe("a proof", () => {
  test.each([2, 255, 256, 257, 300, 512, 513, 599, 600])(
    "of the event in batch %i holds, in the newest log and in the smallest that has it",
    async (nth) => {
      for (const size of [undefined, nth]) {
        expect(check(await prove(event(nth), size))).toMatchObject({
          ok: true,
          entry: { event_id: `e/${nth}`, payload: { nth, note: "très 好" } },
          batch: { sequence: nth },
          checkpoint: { size: size ?? SIZE },
        });
      }
    },
  );

  test("of a movement holds, at its place in its batch", async () => {
    const { rows } = await database.pool.query<{ id: string }>(
      "select id from movements where transaction_id = $1",
      [HOLD],
    );

    const proof = await prove({ kind: "movement", id: rows[0]?.id ?? "" });

    expect(proof.index).toBe(1);
    expect(check(proof)).toMatchObject({
      ok: true,
      entry: { kind: "HOLD", amount: "100", transaction_id: HOLD },
      batch: { sequence: 1, entries: 3 },
    });
  });

  test("of an event by its sequence is that by its id", async () => {
    expect(await prove({ kind: "sequence", sequence: 42n })).toEqual(await prove(event(43)));
  });

  test("is the same before and after tiles are made", async () => {
    await tamper("delete from log_tiles; update log set tiled = 0");
    const { rows } = await database.pool.query<{ count: string }>("select count(*) from log_tiles");
    await Promise.all([completeTiles(database.pool, {}), completeTiles(database.pool, {})]);
    const before = await prove(event(300));

    expect(rows).toEqual([{ count: "0" }]);
    expect(check(before)).toMatchObject({ ok: true });
    expect((await stores.lineage.verifyChain({})).broken).toBeUndefined();
  });

  test("of a row that was changed fails with whoever checks it", async () => {
    await tamper(`update lineage_events set task_id = 'task-2' where event_id = 'e/300'`);

    const proof = await prove(event(300));
    await tamper(`update lineage_events set task_id = 'task-1' where event_id = 'e/300'`);

    expect(check(proof)).toMatchObject({ ok: false, step: "BATCH" });
  });

  test.each<[string, EntryName, number | undefined, object]>([
    ["nothing", event(9_999), undefined, { reason: "ENTRY_NOT_FOUND" }],
    ["no movement", { kind: "movement", id: HOLD }, undefined, { reason: "ENTRY_NOT_FOUND" }],
    [
      "a log that is not so long",
      event(2),
      SIZE + 1,
      { reason: "LOG_SIZE_OUT_OF_RANGE", metadata: { size: String(SIZE) } },
    ],
    ["a log that ends before", event(9), 8, { reason: "LOG_SIZE_OUT_OF_RANGE" }],
  ])("of %s is refused", async (_what, entry, size, refusal) => {
    await expect(prove(entry, size)).rejects.toMatchObject(refusal);
  });
});

describe("an agent", () => {
  test("is told of movements of its own accounts only", async () => {
    const { rows } = await database.pool.query<{ id: string }>(
      "select id from movements order by batch, nth limit 2",
    );
    const [deposit, hold] = rows.map(({ id }): EntryName => ({ kind: "movement", id }));
    if (deposit === undefined || hold === undefined) throw new Error("no movements");

    expect(check(await prove(deposit, undefined, "ann"))).toMatchObject({ ok: true });
    expect(check(await prove(hold, undefined, "bob"))).toMatchObject({ ok: true });
    for (const stranger of ["bob", "eve"]) {
      await expect(prove(deposit, undefined, stranger)).rejects.toMatchObject({
        reason: "ENTRY_NOT_FOUND",
      });
    }
  });

  test("is told of events in which it plays a part only", async () => {
    expect(check(await prove(event(4), undefined, "bob"))).toMatchObject({ ok: true });
    for (const stranger of ["cem", "eve"]) {
      await expect(prove(event(4), undefined, stranger)).rejects.toMatchObject({
        reason: "ENTRY_NOT_FOUND",
      });
    }
  });
});

describe("consistency", () => {
  test.each([
    [0, 600],
    [1, 600],
    [255, 256],
    [256, 600],
    [300, 513],
    [512, 600],
    [600, 600],
  ])("of %i with %i batches is proved", async (from, to) => {
    const [older, { path, checkpoint: newer }] = [
      from === 0 ? { origin: "", size: 0, root: merkleRoot([]) } : await log.checkpoint(from, {}),
      await log.proveConsistency(from, to, {}),
    ];

    expect(isConsistent(older, newer, path)).toBe(true);
  });

  test("is checked offline from two checkpoints and the proof", async () => {
    const [older, newer] = [await log.checkpoint(70, {}), await log.checkpoint(undefined, {})];
    const { path } = await log.proveConsistency(70, SIZE, {});
    const document = consistencyDocument({ from: 70, to: SIZE, path });

    expect(checkConsistency(checkpointText(older), checkpointText(newer), document)).toMatchObject({
      ok: true,
    });
  });

  test.each([
    [3, 2],
    [3, SIZE + 1],
    [SIZE + 1, undefined],
  ])("of %i with %s is refused", async (from, to) => {
    await expect(log.proveConsistency(from, to, {})).rejects.toMatchObject({
      reason: "LOG_SIZE_OUT_OF_RANGE",
    });
  });
});

describe("checkpoints", () => {
  test("that were told are remembered, and bind the journal", async () => {
    const told = await log.checkpoint(99, {});
    await tamper("update checkpoints set root = sha256('') where size = 99");
    const { broken } = await stores.lineage.verifyChain({});
    await tamper(
      `update checkpoints set root = decode('${Buffer.from(told.root).toString("hex")}', 'hex')
       where size = 99`,
    );

    expect(broken).toMatchObject({ sequence: 99n, fault: "CHECKPOINT_MISMATCH" });
    expect((await stores.lineage.verifyChain({})).broken).toBeUndefined();
  });

  test("name their log, which was drawn with the tables", async () => {
    const { origin } = await log.checkpoint(1, {});

    expect(origin).toMatch(/^bourse-ledger\/[0-9a-f-]{36}$/);
    expect((await log.checkpoint(undefined, {})).origin).toBe(origin);
  });

  test("of an empty log have no batch, and are not remembered", async () => {
    await using other = await openDatabase();

    expect(await openStores(other).log.checkpoint(undefined, {})).toMatchObject({ size: 0 });
    expect((await other.pool.query("select from checkpoints")).rowCount).toBe(0);
  });

  test("are taken by themselves, and a failure does not end that", async () => {
    const faults: unknown[] = [];
    let calls = 0;
    const flaky: Pick<LogStore, "checkpoint"> = {
      checkpoint: (size, options) => {
        calls += 1;
        if (calls === 1) return Promise.reject(new Error("away"));
        return log.checkpoint(size, options);
      },
    };
    await tamper("delete from checkpoints");
    await using _job = keepCheckpoints({
      log: flaky,
      everyMs: 5,
      onFault: (fault) => faults.push(fault),
    });

    await expect
      .poll(async () => (await database.pool.query("select size from checkpoints")).rows)
      .toEqual([{ size: String(SIZE) }]);
    expect(faults).toHaveLength(1);
  });

  test.each(["tiles", "checkpoints"])("and tiles refuse to be changed: %s", async (what) => {
    const table = what === "tiles" ? "log_tiles" : "checkpoints";
    await expect(database.pool.query(`update ${table} set root = ''`)).rejects.toMatchObject({
      constraint: `${table}_immutable`,
    });
  });
});

describe("tiles", () => {
  test.each([
    ["changed", "update log_tiles set root = sha256('') where nth = 1"],
    ["dropped", "delete from log_tiles where nth = 1"],
  ])("that were %s are found by VerifyChain", async (_how, statement) => {
    await completeTiles(database.pool, {});
    await tamper(statement);
    const { broken } = await stores.lineage.verifyChain({});
    await tamper("delete from log_tiles; update log set tiled = 0");

    expect(broken).toMatchObject({ sequence: 512n, fault: "TILE_MISMATCH" });
    expect((await stores.lineage.verifyChain({})).broken).toBeUndefined();
  });
});

/** Does to the tables what their triggers refuse. */
async function tamper(statement: string): Promise<void> {
  await database.pool.query(
    `begin; set local session_replication_role = replica; ${statement}; commit`,
  );
}
