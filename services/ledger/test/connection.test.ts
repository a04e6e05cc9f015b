import { randomUUIDv7 } from "node:crypto";
import { isOutage } from "@bourse/postgres";
import { silentLine } from "@bourse/postgres/testing";
import { Client } from "pg";
import { describe, expect, test, vi } from "vitest";
import { createLedgerStore, createWriters } from "../src/postgres.ts";
import { createQueue } from "../src/queue.ts";
import { depositOf, disputeOf, eur, outcomeOf, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database } = await booksForFile();

/** A process that writes payments as the service does, and a payer with 1,000 micros it knows. */
async function aProcess(url = database.url, answerMs?: number) {
  const writers = createWriters(url, "ledger", answerMs);
  const store = createLedgerStore({
    pool: database.pool,
    writers,
    now: () => new Date(),
    newId: randomUUIDv7,
    newPseudonym: randomUUIDv7,
  });
  const run = randomUUIDv7();
  const pair = { payer: `payer-${run}`, provider: `provider-${run}` };
  await store.commit([depositOf({ owner: pair.payer }), depositOf({ owner: pair.provider })]);
  await store.commit([recordOf({ ...pair, amount: eur(1) })]);
  return { store, writers, pair };
}

/** Holds the row of an account until it is let go. */
async function holding(owner: string) {
  const blocker = new Client({ connectionString: database.url });
  await blocker.connect();
  await blocker.query("set search_path to ledger; begin");
  await blocker.query("select from accounts where owner = $1 for update", [owner]);
  return {
    async waiting(): Promise<readonly number[]> {
      const { rows } = await blocker.query<{ pid: number }>(
        `select pid from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.map(({ pid }) => pid);
    },
    /** As another process would. */
    change: () => blocker.query("update accounts set stamp = stamp + 1 where owner = $1", [owner]),
    kill: (pid: number) => blocker.query("select pg_terminate_backend($1)", [pid]),
    async release() {
      await blocker.query("commit");
      await blocker.end();
    },
  };
}

test("payments whose connection is lost fail, do nothing and leave the process alive", async () => {
  const { store, writers, pair } = await aProcess();
  const block = await holding(pair.payer);
  const records = [recordOf(pair), recordOf(pair), recordOf(pair)];
  const outcomes = records.map((record) =>
    store.commit([record]).then(
      () => "done",
      () => "failed",
    ),
  );
  await vi.waitFor(async () => expect(await block.waiting()).toHaveLength(1));

  const [pid] = await block.waiting();
  await block.kill(pid ?? 0);
  expect(await Promise.all(outcomes)).toEqual(["failed", "failed", "failed"]);
  await block.release();

  const { answers } = await store.commit([
    ...records,
    ...records.map(({ terms }) => settleOf(terms.id)),
  ]);
  expect(answers.map(outcomeOf).join()).toBe("PENDING,PENDING,PENDING,SETTLED,SETTLED,SETTLED");
  expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
  await writers[Symbol.asyncDispose]();
});

test("payments that turn out stale with others behind them on the wire are each made once", async () => {
  const { store, writers, pair } = await aProcess();
  const block = await holding(pair.payer);
  const records = [900, 50, 40].map((micros) => recordOf({ ...pair, amount: eur(micros) }));
  const outcomes = records.map((record) =>
    store.commit([record]).then(({ answers }) => outcomeOf(answers[0])),
  );
  await vi.waitFor(async () => expect(await block.waiting()).toHaveLength(1));
  await block.change();
  await block.release();

  expect(await Promise.all(outcomes)).toEqual(["PENDING", "PENDING", "PENDING"]);
  const { accounts } = await store.balances(pair.payer, { holdsMax: 10 });
  expect(accounts[0]?.debitsHeld).toBe(991n);
  expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
  await writers[Symbol.asyncDispose]();
});

describe("over connections that fall silent", () => {
  test.each([
    ["is decided from memory", false],
    ["is decided under lock", true],
  ])(
    "what %s fails in time, holds nothing up, and is done once when asked again",
    async (_road, isLocked) => {
      await using line = await silentLine(database.url);
      const { store, writers, pair } = await aProcess(line.url, 2_000);
      await using _ = writers;
      await using queue = createQueue({
        ...{ store, tell: () => {}, batchMax: 100, queueMax: 100, lanes: 2 },
      });
      const held = recordOf({ ...pair, amount: eur(10) });
      await store.commit([held]);
      const record = recordOf({ ...pair, amount: eur(100) });
      const commands = isLocked ? [disputeOf(held.terms.id), record] : [record];

      line.mute();
      const failure = await queue.submit(commands).catch((error: unknown) => error);
      const again = await persist(() => queue.submit(commands));
      const others = await persist(() => queue.submit([recordOf({ ...pair, amount: eur(1_000) })]));

      expect(isOutage(failure)).toBe(true);
      expect(again.map(outcomeOf)).toEqual(isLocked ? ["DISPUTED", "PENDING"] : ["PENDING"]);
      expect(others.map(outcomeOf)).toEqual(["INSUFFICIENT_FUNDS"]);
      const { accounts } = await store.balances(pair.payer, { holdsMax: 10 });
      expect(accounts[0]?.debitsHeld).toBe(111n);
      expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
    },
  );
});

/** Asks again while the database is away, as a client does; each connection that fell silent is found once. */
async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (let nth = 1; ; nth++) {
    try {
      return await ask();
    } catch (error) {
      if (nth === 5 || !isOutage(error)) throw error;
    }
  }
}
