import type { TestDatabase } from "@bourse/postgres/testing";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStatementStore } from "../src/postgres/statements.ts";
import type { StatementStore, TransferCursor, TransferFilter } from "../src/statement.ts";
import { depositOf, openDatabase, openStores } from "./books.ts";

let database: TestDatabase;
let statements: StatementStore;
/** What was made, oldest first. */
const made: { kind: string; id: string; owner: string; atMs: number }[] = [];

const FIRST_MS = Date.parse("2026-03-01T00:00:00Z");
const KINDS = ["DEPOSIT", "WITHDRAWAL", "CREDIT"] as const;

beforeAll(async () => {
  database = await openDatabase();
  statements = createStatementStore({ pool: database.pool, summaryPool: database.pool });
  let nowMs = FIRST_MS;
  const { ledger } = openStores(database, () => new Date(nowMs));
  for (let nth = 0; nth < 24; nth++) {
    const transfer = nth < 4 ? "DEPOSIT" : (KINDS[nth % 3] ?? "DEPOSIT");
    const owner = nth % 2 === 0 ? "ann" : "bob";
    const currency = transfer === "CREDIT" ? "CRD" : nth % 4 < 2 ? "EUR" : "USD";
    const id = `t-${String(nth).padStart(2, "0")}`;
    const amount = { micros: transfer === "DEPOSIT" ? 1_000n : 1n, currency };
    await ledger.commit([depositOf({ transfer, id, owner, amount })]);
    made.push({ kind: transfer, id, owner, atMs: nowMs });
    nowMs += 1_000;
  }
  const burnt = { micros: 10n ** 12n, currency: "EUR" };
  await ledger.commit([depositOf({ transfer: "WITHDRAWAL", id: "burnt", amount: burnt })]);
});
afterAll(() => database[Symbol.asyncDispose]());

test("the pages of any filter hold the transfers that moved money, once and in order", async () => {
  const time = fc.integer({ min: -1, max: 26 }).map((n) => new Date(FIRST_MS + n * 1_000));
  const filters: fc.Arbitrary<TransferFilter> = fc.record({
    owner: fc.constantFrom("ann", "bob", "nobody", undefined),
    kind: fc.constantFrom(...KINDS, undefined),
    from: fc.option(time, { nil: undefined }),
    until: fc.option(time, { nil: undefined }),
  });

  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 30 }), async (filter, limit) => {
      const { owner, kind, from, until } = filter;
      const wanted = made.filter(
        (one) =>
          (owner === undefined || one.owner === owner) &&
          (kind === undefined || one.kind === kind) &&
          (from === undefined || one.atMs >= from.getTime()) &&
          (until === undefined || one.atMs < until.getTime()),
      );
      const found: string[] = [];
      for (let after: TransferCursor | undefined; ; ) {
        const page = await statements.transfers(filter, after, limit, {});
        found.push(...page.map(({ id }) => id));
        after = page.at(-1);
        if (page.length < limit || after === undefined) break;
      }

      expect(found).toEqual(wanted.map(({ id }) => id));
    }),
    { numRuns: 100 },
  );
});

test("transfers and movements of transactions are all that a balance is made of", async () => {
  const { ledger } = openStores(database);
  const { accounts } = await ledger.balances("ann", { holdsMax: 1 });
  const transfers = await statements.transfers(
    { owner: "ann", kind: undefined, from: undefined, until: undefined },
    undefined,
    100,
    {},
  );

  for (const { currency, creditsPosted, debitsPosted } of accounts) {
    const sum = transfers
      .filter((one) => one.currency === currency)
      .reduce((total, { kind, amount }) => total + (kind === "WITHDRAWAL" ? -amount : amount), 0n);
    expect(sum).toBe(creditsPosted - debitsPosted);
  }
});
