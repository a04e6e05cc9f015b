import { randomUUIDv7 } from "node:crypto";
import { Client } from "pg";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import type { Command, RecordCommand } from "../src/command.ts";
import { createWriters } from "../src/postgres.ts";
import {
  amountsOf,
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  openStores,
  outcomeOf,
  recordOf,
  resolveOf,
  settleOf,
  waitingBackends,
} from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database, store } = await booksForFile();
const writers = createWriters(database.url, "ledger");
afterAll(() => writers[Symbol.asyncDispose]());
afterEach(async () => {
  expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
  const twofold = "select from burnt_transactions join transactions using (id)";
  expect((await database.pool.query(twofold)).rowCount).toBe(0);
});

/** Two sides that no other test uses; the payer has 1,000 micros. */
async function aPair() {
  const run = randomUUIDv7();
  const pair = { payer: `payer-${run}`, provider: `provider-${run}` };
  await store.commit([depositOf({ owner: pair.payer })]);
  return pair;
}

/**
 * Commits each of these commands in a process of its own: all of them wait for the same row while
 * somebody else holds it, and get it in this order.
 */
function inTurn(locked: string, commands: readonly Command[]): Promise<readonly string[]> {
  return batchesInTurn(
    locked,
    commands.map((command) => [command]),
  );
}

/** The same with batches; answers with the outcome of the last command of each. */
async function batchesInTurn(
  locked: string,
  batches: readonly (readonly Command[])[],
): Promise<readonly string[]> {
  const blocker = new Client({ connectionString: database.url });
  await blocker.connect();
  const outcomes: Promise<string>[] = [];
  try {
    await blocker.query("set search_path to ledger; begin");
    await blocker.query(`${locked} for update`);
    for (const commands of batches) {
      const { ledger } = openStores(database);
      outcomes.push(ledger.commit(commands).then(({ answers }) => outcomeOf(answers.at(-1))));
      await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(outcomes.length));
    }
  } finally {
    await blocker.end();
  }
  return Promise.all(outcomes);
}

/** Writes payments as a ledger does, whose settings let the planner find, and so lock, rows in no other order. */
const asServed = () => openStores(database, undefined, { writers });

async function balanceOf(owner: string) {
  const { accounts } = await store.balances(owner, { holdsMax: 10 });
  return amountsOf(accounts[0]);
}

const transactionRow = (id: string) => `select from transactions where id = '${id}'`;
const accountRow = (owner: string) => `select from accounts where owner = '${owner}'`;

describe("a batch that has waited for another", () => {
  test("rules on the money that the other has just frozen", async () => {
    const pair = await aPair();
    const { terms, ...record } = recordOf(pair);
    await store.commit([{ terms, ...record }, settleOf(terms.id)]);

    const outcomes = await inTurn(transactionRow(terms.id), [
      disputeOf(terms.id),
      resolveOf(terms.id, 0),
    ]);

    expect(outcomes).toEqual(["DISPUTED", "CANCELLED"]);
    expect(await balanceOf(pair.payer)).toEqual({ posted: 1_000n, held: 0n });
    expect(await balanceOf(pair.provider)).toEqual({ posted: 0n, held: 0n });
  });

  test("sees no hold where the other has resolved it", async () => {
    const pair = await aPair();
    const record = recordOf(pair);
    await store.commit([record]);
    const settle = settleOf(record.terms.id);

    await inTurn(transactionRow(record.terms.id), [settle]);
    const blocked = inTurn(transactionRow(record.terms.id), [settle, record]);

    expect(await blocked).toEqual(["SETTLED", "SETTLED"]);
  });

  test.each([
    ["settles", "cancels", settleOf, cancelOf, ["SETTLED", "INVALID_TRANSACTION_STATE"]],
    ["cancels", "settles", cancelOf, settleOf, ["CANCELLED", "INVALID_TRANSACTION_STATE"]],
    ["cancels", "disputes", cancelOf, disputeOf, ["CANCELLED", "INVALID_TRANSACTION_STATE"]],
    ["disputes", "settles", disputeOf, settleOf, ["DISPUTED", "INVALID_TRANSACTION_STATE"]],
    ["settles", "settles", settleOf, settleOf, ["SETTLED", "SETTLED"]],
    ["cancels", "cancels", cancelOf, cancelOf, ["CANCELLED", "CANCELLED"]],
  ])("that %s what this one %s is the only one that moves money", async (...row) => {
    const [, , first, second, outcomes] = row;
    const record = recordOf(await aPair());
    await store.commit([record]);
    const { id } = record.terms;

    expect(await inTurn(transactionRow(id), [first(id), second(id)])).toEqual(outcomes);
  });

  test("for the last funds with the same id and content is answered with the hold, not with a refusal", async () => {
    const pair = await aPair();
    const record = recordOf({ ...pair, amount: eur(1_000) });

    const outcomes = await inTurn(accountRow(pair.payer), [record, record]);
    const again = await store.commit([record]);

    expect(outcomes).toEqual(["PENDING", "PENDING"]);
    expect(again.answers.map(outcomeOf)).toEqual(["PENDING"]);
    expect(await balanceOf(pair.payer)).toEqual({ posted: 1_000n, held: 1_000n });
  });

  test("for the last funds with the same id and other content is told which field differs", async () => {
    const pair = await aPair();
    const record = recordOf({ ...pair, amount: eur(1_000) });
    const other = recordOf({ ...record.terms, amount: eur(999) });

    const outcomes = await inTurn(accountRow(pair.payer), [record, other]);

    expect(outcomes).toEqual(["PENDING", "TRANSACTION_ID_REUSED"]);
  });

  test("withdraws the last funds once, whatever id it has", async () => {
    const { payer: owner } = await aPair();
    const withdrawal = depositOf({ transfer: "WITHDRAWAL", owner });
    const other = depositOf({ transfer: "WITHDRAWAL", owner });

    const outcomes = await inTurn(accountRow(owner), [withdrawal, withdrawal, other]);

    expect(outcomes).toEqual(["ok", "ok", "INSUFFICIENT_FUNDS"]);
    expect(await balanceOf(owner)).toEqual({ posted: 0n, held: 0n });
  });

  test.each([
    ["together with other payments", true],
    ["alone", false],
  ])("does not record what the other has just burnt %s", async (_how, isBesideOthers) => {
    const pair = await aPair();
    const others = await aPair();
    const held = recordOf({ ...pair, amount: eur(500) });
    await store.commit([held, recordOf(others)]);
    const record = recordOf({ ...pair, amount: eur(800) });

    const outcomes = await batchesInTurn(accountRow(pair.payer), [
      isBesideOthers ? [recordOf(others), record] : [record],
      [cancelOf(held.terms.id), record],
    ]);

    expect(outcomes).toEqual(["INSUFFICIENT_FUNDS", "TRANSACTION_ID_BURNT"]);
    expect(await balanceOf(pair.payer)).toEqual({ posted: 1_000n, held: 0n });
  });
});

describe("an id that two payers use at the same instant, one of whom has no money for it", () => {
  const underLock = async (): Promise<Command> => {
    const { payer: owner } = await aPair();
    return { kind: "limit", owner, limit: eur(1) };
  };
  const fromMemory = async () => {
    const others = await aPair();
    await store.commit([recordOf(others)]);
    return recordOf(others);
  };
  // Whether each is decided from memory or under lock; what is burnt alone goes under lock.
  test.each([
    ["burnt from memory", "recorded from memory"],
    ["burnt from memory", "recorded under lock"],
    ["burnt under lock", "recorded from memory"],
    ["burnt under lock", "recorded under lock"],
    ["burnt alone", "recorded from memory"],
    ["burnt alone", "recorded under lock"],
  ])("is %s or %s, whichever comes first", async (burning, recording) => {
    const beside = async (how: string): Promise<readonly Command[]> => {
      if (how.endsWith("alone")) return [];
      return [await (how.endsWith("memory") ? fromMemory() : underLock())];
    };
    for (const isBurntFirst of [true, false]) {
      const [rich, poor] = [await aPair(), await aPair()];
      await store.commit([recordOf(rich), recordOf(poor)]);
      const recorded = recordOf(rich);
      const burnt = recordOf({ ...poor, id: recorded.terms.id, amount: eur(5_000) });
      const burn = [...(await beside(burning)), burnt];
      const record = [...(await beside(recording)), recorded];

      const outcomes = await batchesInTurn(
        "select from journal_head",
        isBurntFirst ? [burn, record] : [record, burn],
      );

      const first = isBurntFirst ? "INSUFFICIENT_FUNDS" : "PENDING";
      expect(outcomes).toEqual([first, "TRANSACTION_ID_REUSED"]);
    }
  });
});

describe("a group that two record into at the same instant", () => {
  test.each([
    ["from memory", "from memory"],
    ["from memory", "under lock"],
    ["under lock", "from memory"],
    ["under lock", "under lock"],
  ])("is whose who comes first: one %s, the other %s", async (...hows) => {
    const groupId = randomUUIDv7();
    const batches: Command[][] = [];
    for (const [nth, how] of hows.entries()) {
      const pair = await aPair();
      await store.commit([recordOf(pair)]);
      const limit: Command = { kind: "limit", owner: pair.payer, limit: eur(1) };
      const record = recordOf({ ...pair, groupId, recorder: `service:s${nth}` });
      batches.push(how === "under lock" ? [limit, record] : [record]);
    }

    const outcomes = await batchesInTurn("select from journal_head", batches);

    expect(outcomes).toEqual(["PENDING", "NOT_GROUP_RECORDER"]);
  });
});

describe("an account that is closed at the instant when somebody promises it money", () => {
  test.each([
    ["from memory", "promised", ["PENDING", "ACCOUNT_NOT_EMPTY"]],
    ["from memory", "closed", ["ok", "ACCOUNT_CLOSED"]],
    ["under lock", "promised", ["PENDING", "ACCOUNT_NOT_EMPTY"]],
    ["under lock", "closed", ["ok", "ACCOUNT_CLOSED"]],
  ])("is either: the promise is made %s and it is %s first", async (how, first, outcomes) => {
    const pair = await aPair();
    const { terms } = recordOf(pair);
    await store.commit([{ kind: "record", terms }]);
    await store.commit([cancelOf(terms.id)]);
    const status = { owner: pair.provider, currency: "EUR", status: "CLOSED" } as const;
    const close: Command = { kind: "status", ...status };
    const limit: Command = { kind: "limit", owner: pair.payer, limit: eur(1) };
    const promise = how === "under lock" ? [limit, recordOf(pair)] : [recordOf(pair)];

    const batches = first === "closed" ? [[close], promise] : [promise, [close]];

    expect(await batchesInTurn("select from journal_head", batches)).toEqual(outcomes);
    const { accounts } = await store.balances(pair.provider, { holdsMax: 0 });
    const [found] = accounts;
    expect(found?.status).toBe(first === "closed" ? "CLOSED" : "OPEN");
    expect(found?.creditsHeld).toBe(first === "closed" ? 0n : 100n);
  });
});

test("a batch locks accounts in the order of their ids, also those that it only looks at", async () => {
  const [poor, rich] = [await aPair(), await aPair()];
  await store.commit([recordOf(poor), recordOf(rich)]);
  const refused = recordOf({ ...poor, amount: eur(5_000) });
  const blocker = await database.pool.connect();
  await blocker.query(`begin; ${accountRow(poor.payer)} for update`);

  const outcome = asServed().ledger.commit([recordOf(rich), refused]);
  await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));
  const free = await blocker.query(`${accountRow(rich.payer)} for update skip locked`);
  await blocker.query("commit");
  blocker.release();

  expect((await outcome).answers.map(outcomeOf)).toEqual(["PENDING", "INSUFFICIENT_FUNDS"]);
  expect(free.rowCount).toBe(1);
});

test("a batch locks transactions in the order of their ids, also those that it only looks at", async () => {
  const pair = await aPair();
  const [first, second] = [recordOf(pair), recordOf(pair)].toSorted((a, b) =>
    a.terms.id < b.terms.id ? -1 : 1,
  ) as [RecordCommand, RecordCommand];
  await store.commit([first, second]);
  const blocker = await database.pool.connect();
  await blocker.query(`begin; ${transactionRow(first.terms.id)} for update`);
  const mine = asServed().ledger;

  const tooMuch = settleOf(first.terms.id, eur(101));
  const outcome = mine.commit([settleOf(second.terms.id), tooMuch]);
  await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));
  const free = await blocker.query(`${transactionRow(second.terms.id)} for update skip locked`);
  await blocker.query("commit");
  blocker.release();

  expect((await outcome).answers.map(outcomeOf)).toEqual(["SETTLED", "AMOUNT_EXCEEDS_HOLD"]);
  expect(free.rowCount).toBe(1);
});

test("a batch that waits for an id keeps the journal from nobody", async () => {
  const pair = await aPair();
  await store.commit([recordOf(pair)]);
  const record = recordOf(pair);
  const blocker = await database.pool.connect();
  await blocker.query("begin");
  await blocker.query(
    `insert into transactions (id, payer_account, provider_account, amount, hold_ms, created_at,
       updated_at, state, capability, recorder)
     values ($1, 1, 2, 1, 1, now(), now(), 'PENDING', 'translate', 'operator')`,
    [record.terms.id],
  );

  const outcome = openStores(database).ledger.commit([record]);
  await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));
  const free = await blocker.query("select from journal_head for update skip locked");
  await blocker.query("rollback");
  blocker.release();

  expect((await outcome).answers.map(outcomeOf)).toEqual(["PENDING"]);
  expect(free.rowCount).toBe(1);
});

test("a read of balances tells as held what its own open holds add up to, while holds come and go", async () => {
  const pair = await aPair();
  await store.commit([depositOf({ owner: pair.payer, amount: eur(1_000_000) })]);
  const heldAmounts: bigint[] = [];
  const sums: bigint[] = [];
  let [rounds, changes] = [0, 0];
  const isEnough = () => rounds >= 50 && changes >= 50;
  const holdAndEnd = async () => {
    for (; !isEnough(); rounds++) {
      const [paid, dropped] = [recordOf(pair), recordOf(pair)];
      const ends = [settleOf(paid.terms.id, eur(1)), cancelOf(dropped.terms.id)];
      for (const command of [paid, dropped, ...ends]) await store.commit([command]);
    }
  };
  const read = async () => {
    while (!isEnough()) {
      const { accounts, openHolds } = await store.balances(pair.payer, { holdsMax: 10 });
      const { held } = amountsOf(accounts[0]);
      if (held !== heldAmounts.at(-1)) changes++;
      heldAmounts.push(held);
      sums.push(openHolds.reduce((sum, { amount }) => sum + amount, 0n));
    }
  };

  await Promise.all([holdAndEnd(), read()]);

  expect(heldAmounts).toEqual(sums);
});
