import { randomUUIDv7 } from "node:crypto";
import type { TestDatabase } from "@bourse/postgres/testing";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Command } from "../src/command.ts";
import type { LedgerStore } from "../src/store.ts";
import {
  AUCTION,
  amountsOf,
  DAY_MS,
  disputeOf,
  OPERATOR,
  openDatabase,
  openStores,
  outcomeOf,
} from "./books.ts";
import { createModel } from "./model.ts";

let database: TestDatabase;
let store: LedgerStore;
/** Two processes, between which each history changes to and fro. */
let processes: readonly LedgerStore[];
beforeAll(async () => {
  database = await openDatabase();
  store = openStores(database).ledger;
  processes = [store, openStores(database).ledger];
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

const OWNERS = ["ann", "bob", "carl"];
const CURRENCIES = ["EUR", "SAT"];

/** Names of one run, so that runs do not meet although they share a database. */
interface Names {
  owner(nth: number): string;
  uuid(nth: number): string;
  id(nth: number): string;
}

const owner = fc.nat(2);
const nth = fc.nat(7);
const amount = fc.record({
  micros: fc.bigInt({ min: 1n, max: 150n }),
  currency: fc.constantFrom("EUR", "EUR", "EUR", "SAT"),
});
const share = fc.constantFrom(0, 1, 3_333, 5_000, 10_000);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(nth, owner, owner, amount).map(recordStep) },
  {
    weight: 4,
    arbitrary: fc.tuple(nth, fc.option(amount, { nil: undefined })).map(
      ([id, part]): Step =>
        ({ uuid }) => ({ kind: "settle", id: uuid(id), amount: part, caller: AUCTION }),
    ),
  },
  {
    weight: 2,
    arbitrary: nth.map(
      (id): Step =>
        ({ uuid }) => ({ kind: "cancel", id: uuid(id), caller: AUCTION }),
    ),
  },
  {
    weight: 3,
    arbitrary: nth.map(
      (id): Step =>
        ({ uuid }) =>
          disputeOf(uuid(id)),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(nth, share).map(
      ([id, providerShareBps]): Step =>
        ({ uuid }) => ({
          kind: "resolve",
          id: uuid(id),
          caller: OPERATOR,
          providerShareBps,
          reason: "so",
        }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.constantFrom("DEPOSIT", "DEPOSIT", "WITHDRAWAL", "CREDIT"),
        nth,
        owner,
        amount,
        fc.boolean(),
      )
      .map(transferStep),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(owner, fc.constantFrom(0n, 50n, 200n), fc.constantFrom(...CURRENCIES)).map(
      ([who, micros, currency]): Step =>
        (names) => ({ kind: "limit", owner: names.owner(who), limit: { micros, currency } }),
    ),
  },
);

type Step = (names: Names) => Command;

function recordStep([id, payer, provider, money]: [
  number,
  number,
  number,
  { micros: bigint; currency: string },
]): Step {
  return (names) => ({
    kind: "record",
    terms: {
      id: names.uuid(id),
      payer: names.owner(payer),
      provider: names.owner(provider),
      capability: "any",
      amount: money,
      context: undefined,
      recorder: "service:auction",
      groupId: undefined,
      holdMs: DAY_MS,
      delivery: undefined,
      arbitration: undefined,
    },
  });
}

function transferStep([kind, id, who, money, negative]: [
  "DEPOSIT" | "WITHDRAWAL" | "CREDIT",
  number,
  number,
  { micros: bigint; currency: string },
  boolean,
]): Step {
  const isCredit = kind === "CREDIT";
  const micros = isCredit && negative ? -money.micros : money.micros;
  return (names) => ({
    kind: "transfer",
    transfer: kind,
    id: names.id(id),
    owner: names.owner(who),
    amount: isCredit ? { micros, currency: "CRD" } : { ...money, micros: micros * 2n },
    taskId: isCredit ? "task" : "",
  });
}

/**
 * A provider that is paid, spends some or all of it, and then has to give it back: rare by chance
 * alone.
 */
const story = fc
  .tuple(nth, fc.bigInt({ min: 1n, max: 150n }), fc.bigInt({ min: 1n, max: 150n }), share)
  .map(([id, price, spent, providerShareBps]): Step[] => {
    const eur = (micros: bigint) => ({ micros, currency: "EUR" });
    const paid = { id, caller: AUCTION };
    return [
      transferStep(["DEPOSIT", id + 20, 0, eur(price), false]),
      recordStep([id, 0, 1, eur(price)]),
      ({ uuid }) => ({ ...paid, kind: "settle", id: uuid(id), amount: undefined }),
      transferStep(["WITHDRAWAL", id + 20, 1, eur(spent), false]),
      ({ uuid }) => disputeOf(uuid(id)),
      ({ uuid }) => ({
        kind: "resolve",
        id: uuid(id),
        caller: OPERATOR,
        providerShareBps,
        reason: "so",
      }),
    ];
  });
const steps = fc.oneof(
  { weight: 12, arbitrary: step.map((one) => [one]) },
  { weight: 1, arbitrary: story },
);

/** Either a new step or, by its number, an earlier one of the run again. */
const batches = fc.array(
  fc.array(fc.oneof({ weight: 4, arbitrary: steps }, { weight: 1, arbitrary: fc.nat(99) }), {
    minLength: 1,
    maxLength: 10,
  }),
  { minLength: 1, maxLength: 15, size: "max" },
);

function theNames(): Names {
  const run = randomUUIDv7();
  return {
    owner: (n) => `${OWNERS[n]}-${run}`,
    uuid: (n) => `${run.slice(0, -1)}${n}`,
    id: (n) => `${run}-${n}`,
  };
}

const RUNS = Number(process.env["BOURSE_MODEL_RUNS"] ?? 40);

test(
  "the ledger answers every history as the model does, and its books verify after each",
  async () => {
    let commandsRun = 0;
    await fc.assert(
      fc.asyncProperty(batches, async (history) => {
        const names = theNames();
        const model = createModel();
        const past: Command[] = [];
        for (const batch of history) {
          const commands: Command[] = batch.flatMap((step) => {
            const again =
              typeof step === "number" ? past.slice(step % past.length).slice(0, 1) : [];
            const commands = typeof step === "number" ? again : step.map((one) => one(names));
            past.push(...commands);
            return commands;
          });
          const process = processes[commandsRun % processes.length] ?? store;
          const { answers } = await process.commit(commands);
          expect(answers.map(outcomeOf)).toEqual(commands.map((command) => model.run(command)));
          commandsRun += commands.length;
        }
        for (const who of [0, 1, 2].map(names.owner)) {
          const { accounts } = await store.balances(who, { holdsMax: 100 });
          for (const account of accounts) {
            const { currency, creditLimit } = account;
            expect({ ...amountsOf(account), creditLimit }).toEqual(
              model.account(`${who} ${currency}`),
            );
          }
        }
        for (const [id, { state, settled, owed }] of model.transactions()) {
          const found = await store.findTransaction(id, {});
          expect(found?.transaction).toMatchObject({ state, settled, owed });
        }
        expect((await store.verify({ divergencesMax: 5 })).divergences).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(commandsRun).toBeGreaterThan(300);
  },
  30_000 + RUNS * 500,
);

test("no account went further below zero, holds counted, than the highest limit that was ever set", async () => {
  const { rows } = await database.pool.query(
    `select owner, currency from accounts
     where owner not like '@%' and currency <> 'CRD' and credits_posted - debits_posted - debits_held < -200`,
  );

  expect(rows).toEqual([]);
});
