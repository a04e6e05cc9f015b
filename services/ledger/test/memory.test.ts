import { randomUUIDv7 } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BALANCE_MAX } from "../src/account.ts";
import type { Command, RecordCommand } from "../src/command.ts";
import { createMemory } from "../src/postgres/memory.ts";
import type { LedgerStore } from "../src/store.ts";
import type { Transaction } from "../src/transaction.ts";
import {
  cancelOf,
  depositOf,
  disputeOf,
  eur,
  openStores,
  outcomeOf,
  recordOf,
  settleOf,
} from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database } = await booksForFile();

/** Two processes on one database. `mine` remembers the accounts of both parties and `held`. */
let mine: LedgerStore;
let other: LedgerStore;
let payer: string;
let provider: string;
let held: RecordCommand;
beforeEach(async () => {
  mine = openStores(database).ledger;
  other = openStores(database).ledger;
  const run = randomUUIDv7();
  [payer, provider] = [`payer-${run}`, `provider-${run}`];
  held = recordOf({ payer, provider, recorder: "service:auction" });
  await mine.commit([depositOf({ owner: payer }), depositOf({ owner: provider })]);
  expect(await outcomeIn(mine, held)).toBe("PENDING");
});
afterEach(async () => {
  expect((await mine.verify({ divergencesMax: 10 })).divergences).toEqual([]);
});

async function outcomeIn(store: LedgerStore, ...commands: readonly Command[]): Promise<string> {
  const { answers } = await store.commit(commands);
  return answers.map(outcomeOf).join();
}

/** Holds 100 micros at the payer, but for what is given. */
const payment = (fields: Partial<RecordCommand["terms"]> = {}) =>
  recordOf({ payer, provider, ...fields });

describe("a payment is not decided on what this process remembers of", () => {
  test("a balance that another has spent", async () => {
    await outcomeIn(other, payment({ amount: eur(900) }));

    expect(await outcomeIn(mine, payment({ amount: eur(1) }))).toBe("INSUFFICIENT_FUNDS");
  });

  test("a credit limit that another has raised", async () => {
    await outcomeIn(other, { kind: "limit", owner: payer, limit: eur(5_000) });

    expect(await outcomeIn(mine, payment({ amount: eur(5_000) }))).toBe("PENDING");
  });

  test("an account that another has frozen", async () => {
    const status = { kind: "status", owner: payer, currency: "EUR", status: "FROZEN" } as const;
    await outcomeIn(other, status);

    expect(await outcomeIn(mine, payment())).toBe("ACCOUNT_FROZEN");
  });

  test.each([
    ["settled", "cancels", settleOf, cancelOf, "INVALID_TRANSACTION_STATE"],
    ["cancelled", "settles", cancelOf, settleOf, "INVALID_TRANSACTION_STATE"],
    ["disputed", "settles", disputeOf, settleOf, "INVALID_TRANSACTION_STATE"],
    ["settled", "settles", settleOf, settleOf, "SETTLED"],
  ])("a transaction that another has %s, when it %s it", async (...[, , first, second, then]) => {
    await outcomeIn(other, first(held.terms.id));

    expect(await outcomeIn(mine, second(held.terms.id))).toBe(then);
  });

  test("an id that another has used for something else", async () => {
    const taken = payment({ amount: eur(7) });
    await outcomeIn(other, taken);

    const reused = recordOf({ ...taken.terms, amount: eur(8) });
    expect(await outcomeIn(mine, payment(), reused)).toBe("PENDING,TRANSACTION_ID_REUSED");
  });

  test("an id that another has burnt", async () => {
    const tooMuch = payment({ amount: eur(5_000) });
    expect(await outcomeIn(other, tooMuch)).toBe("INSUFFICIENT_FUNDS");

    await outcomeIn(other, depositOf({ owner: payer, amount: eur(9_000) }));
    expect(await outcomeIn(mine, payment(), tooMuch)).toBe("PENDING,TRANSACTION_ID_BURNT");
  });

  test("money that another has brought to who is promised some and has too little itself", async () => {
    const { carl, pays } = await known();
    await outcomeIn(other, depositOf({ owner: carl, amount: eur(50) }));

    const spends = payment({ payer: carl, provider: payer, amount: eur(50) });
    expect(await outcomeIn(mine, pays(), spends)).toBe("PENDING,PENDING");
  });

  test("a name that stands for nobody any more", async () => {
    await outcomeIn(other, cancelOf(held.terms.id));
    await renamed(payer);

    expect(await outcomeIn(mine, payment({ amount: eur(1) }))).toBe("INSUFFICIENT_FUNDS");
  });

  test("who would be paid, when that name stands for nobody any more", async () => {
    const { carl, pays } = await known();
    await renamed(carl);

    expect(await outcomeIn(mine, pays())).toBe("PENDING");

    const { accounts } = await mine.balances(carl, { holdsMax: 0 });
    expect(accounts).toMatchObject([{ creditsHeld: 100n, creditsPosted: 0n }]);
  });

  test("who would be paid, when another has closed that account", async () => {
    const { carl, pays } = await known();
    const close = { kind: "status", owner: carl, currency: "EUR", status: "CLOSED" } as const;
    await outcomeIn(other, close);

    expect(await outcomeIn(mine, pays())).toBe("ACCOUNT_CLOSED");
  });

  /** Somebody whom memory knows, with nothing in the account, and payments to them. */
  async function known() {
    const carl = `carl-${randomUUIDv7()}`;
    const pays = () => payment({ provider: carl });
    const first = pays();
    await outcomeIn(mine, first);
    await outcomeIn(mine, cancelOf(first.terms.id));
    return { carl, pays };
  }

  async function renamed(owner: string): Promise<void> {
    await database.pool.query(
      `update accounts set owner = $2, stamp = hashtextextended($2, 0) where owner = $1`,
      [owner, `erased-${randomUUIDv7()}`],
    );
  }
});

test("an account is answered with what it still promises, though another has paid some of it", async () => {
  await outcomeIn(mine, payment({ amount: eur(30) }));
  await outcomeIn(other, settleOf(held.terms.id));

  const { answers } = await mine.commit([depositOf({ owner: payer, amount: eur(5) })]);

  expect(answers).toMatchObject([
    { account: { creditsPosted: 1_005n, debitsPosted: 100n, debitsHeld: 30n, creditsHeld: 0n } },
  ]);
});

test("what is promised counts where the range of a balance ends, until it is paid", async () => {
  const yen = (micros: bigint) => ({ micros, currency: "JPY" });
  await outcomeIn(mine, depositOf({ owner: payer, amount: yen(BALANCE_MAX) }));
  await outcomeIn(mine, { kind: "limit", owner: "carl", limit: yen(1n) });
  const [out, back] = [payment({ amount: yen(100n) }), payment({ amount: yen(1n) })];
  const into = recordOf({ ...back.terms, payer: "carl", provider: payer });
  await outcomeIn(mine, out, into);

  expect(await outcomeIn(mine, settleOf(into.terms.id))).toBe("BALANCE_OUT_OF_RANGE");
  await outcomeIn(other, settleOf(out.terms.id));
  expect(await outcomeIn(mine, settleOf(into.terms.id))).toBe("SETTLED");
});

describe("memory is bounded", () => {
  const most = { accounts: 10, transactions: 3, agreedBytes: 10_000 };
  const noAccounts = { accounts: [], closings: undefined };
  const pending = (context?: { readonly note: string }): Transaction => ({
    ...recordOf({ context }).terms,
    ...({ state: "PENDING", settled: 0n, owed: 0n } as const),
    ...{ hold: undefined, delivered: undefined, dispute: undefined, endRule: undefined },
    ...{ createdAt: new Date(), updatedAt: new Date(), settledAt: undefined },
  });
  const known = (transactions: readonly Transaction[]) => {
    const memory = createMemory(most);
    memory.learn(noAccounts, transactions);
    return transactions.map(({ id }) => memory.knowsTransaction(id));
  };

  test("by the number of transactions", () => {
    expect(known(Array.from({ length: 4 }, () => pending()))).toEqual([false, true, true, true]);
  });

  test("by the bytes of what was agreed on them", () => {
    const large = { note: "n".repeat(2_000) };

    expect(known([pending(large), pending(), pending(large)])).toEqual([false, true, true]);
  });

  test("by what is there, not by what has come and gone", () => {
    const memory = createMemory(most);
    const [first, ...others] = Array.from({ length: 9 }, () =>
      pending({ note: "n".repeat(2_000) }),
    );
    for (const each of others) {
      memory.learn(noAccounts, [each]);
      memory.forget([each.id]);
    }
    memory.learn(noAccounts, [first as Transaction]);

    expect(memory.knowsTransaction((first as Transaction).id)).toBe(true);
  });
});

describe("payments that are sent one behind the other", () => {
  test("are each decided on what the one before will have done", async () => {
    const records = Array.from({ length: 30 }, () => payment({ amount: eur(100) }));

    const outcomes = await Promise.all(records.map((record) => outcomeIn(mine, record)));

    expect(outcomes.filter((outcome) => outcome === "PENDING")).toHaveLength(9);
    expect(outcomes.filter((outcome) => outcome === "INSUFFICIENT_FUNDS")).toHaveLength(21);
  });

  test("come to nothing, and are decided anew, when what they were decided on was not written", async () => {
    const reused = recordOf({ ...held.terms, payer: provider, provider: payer });
    const records = Array.from({ length: 5 }, () => payment({ amount: eur(100) }));
    const taken = payment({ amount: eur(10) });
    await outcomeIn(other, taken);
    await outcomeIn(mine, payment({ amount: eur(10) }));

    const outcomes = await Promise.all([
      outcomeIn(mine, payment({ amount: eur(100) }), recordOf({ ...taken.terms, capability: "x" })),
      ...records.map((record) => outcomeIn(mine, record)),
      outcomeIn(mine, reused),
    ]);

    expect(outcomes).toEqual([
      "PENDING,TRANSACTION_ID_REUSED",
      ...records.map(() => "PENDING"),
      "TRANSACTION_ID_REUSED",
    ]);
  });

  test("of two processes take no more than there is", async () => {
    const records = Array.from({ length: 60 }, () => payment({ amount: eur(50) }));

    const outcomes = await Promise.all(
      records.map((record, nth) => outcomeIn(nth % 2 === 0 ? mine : other, record)),
    );

    expect(outcomes.filter((outcome) => outcome === "PENDING")).toHaveLength(18);
  });

  test("settle what was recorded just before, whole, in part and not at all", async () => {
    const records = Array.from({ length: 3 }, () => payment());
    await mine.commit(records);
    const [whole, part, none] = records.map(({ terms }) => terms.id) as [string, string, string];

    const outcome = await outcomeIn(mine, settleOf(whole), settleOf(part, eur(30)), cancelOf(none));

    expect(outcome).toBe("SETTLED,SETTLED,CANCELLED");
    const found = await mine.findTransaction(part, {});
    expect(found?.transaction).toMatchObject({ state: "SETTLED", settled: 30n, hold: undefined });
    expect(found?.movements.map(({ kind, amount }) => [kind, amount])).toEqual([
      ["HOLD", 100n],
      ["POST", 30n],
      ["RELEASE", 70n],
    ]);
  });
});
