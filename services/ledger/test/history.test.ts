import { withTransaction } from "@bourse/postgres";
import type { TestDatabase } from "@bourse/postgres/testing";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Walk, walkHistory } from "../src/postgres/history.ts";
import type { LedgerStore, TransactionCursor, TransactionFilter } from "../src/store.ts";
import type { Transaction } from "../src/transaction.ts";
import {
  ALL,
  beginChapter,
  cancelOf,
  depositOf,
  openDatabase,
  openStores,
  recordOf,
} from "./books.ts";

let database: TestDatabase;
let ledger: LedgerStore;
/** All that the books hold, oldest first. */
let all: Transaction[];

const FIRST_MS = Date.parse("2026-03-01T00:00:00Z");
const AGENTS = ["ann", "bob", "cid"];

beforeAll(async () => {
  database = await openDatabase();
  let nowMs = FIRST_MS;
  ledger = openStores(database, () => new Date(nowMs)).ledger;
  const currencies = ["EUR", "USD"];
  await ledger.commit(
    AGENTS.flatMap((owner) =>
      currencies.map((currency) => depositOf({ owner, amount: { micros: 10_000n, currency } })),
    ),
  );
  for (let nth = 0; nth < 24; nth++) {
    const record = recordOf({
      payer: AGENTS[nth % 3] ?? "",
      provider: AGENTS[(nth + 1 + (nth % 2)) % 3] ?? "",
      capability: nth % 5 === 0 ? "rare" : "common",
      amount: { micros: 1n, currency: currencies[nth % 2] ?? "" },
    });
    await ledger.commit([record]);
    if (nth % 4 === 0) await ledger.commit([cancelOf(record.terms.id)]);
    // Several of one instant.
    if (nth % 3 === 2) nowMs += 1_000;
    if (nth % 5 === 4) await beginChapter(database);
  }
  const { transactions } = await ledger.listTransactions(ALL, undefined, 100, {});
  all = transactions.toReversed();
});

afterAll(() => database[Symbol.asyncDispose]());

function wants(filter: TransactionFilter, transaction: Transaction): boolean {
  const { agent, role, state, capability, from, until } = filter;
  const sides = role === undefined ? (["payer", "provider"] as const) : [role];
  return (
    (agent === undefined || sides.some((side) => transaction[side] === agent)) &&
    (state === undefined || transaction.state === state) &&
    (capability === undefined || transaction.capability === capability) &&
    (from === undefined || transaction.createdAt >= from) &&
    (until === undefined || transaction.createdAt < until)
  );
}

async function walked(filter: TransactionFilter, walk: Omit<Walk, "after">) {
  const ids: string[] = [];
  const pages: number[] = [];
  let after: TransactionCursor | undefined;
  do {
    const stretch = await withTransaction(database.pool, (tx) =>
      walkHistory(tx, filter, { ...walk, after }),
    );
    ids.push(...stretch.ids);
    pages.push(stretch.ids.length);
    after = stretch.next;
  } while (after !== undefined);
  return { ids, pages };
}

test("the pages of any filter hold what passes it, once and in order", async () => {
  const time = fc.integer({ min: -1, max: 9 }).map((n) => new Date(FIRST_MS + n * 1_000));
  const filters = fc.record({
    agent: fc.option(fc.constantFrom(...AGENTS, "nobody"), { nil: undefined }),
    role: fc.constantFrom("payer", "provider", undefined),
    state: fc.constantFrom("PENDING", "CANCELLED", "SETTLED", undefined),
    capability: fc.constantFrom("rare", "common", "none", undefined),
    from: fc.option(time, { nil: undefined }),
    until: fc.option(time, { nil: undefined }),
  });
  const walks = fc.record({
    order: fc.constantFrom("newest first", "oldest first"),
    limit: fc.integer({ min: 1, max: 30 }),
    lookMax: fc.integer({ min: 1, max: 30 }),
  });

  await fc.assert(
    fc.asyncProperty(filters, walks, async (filter, walk) => {
      const wanted = all.filter((transaction) => wants(filter, transaction)).map(({ id }) => id);
      const { ids, pages } = await walked(filter, walk);

      expect(ids).toEqual(walk.order === "oldest first" ? wanted : wanted.toReversed());
      expect(Math.max(...pages)).toBeLessThanOrEqual(walk.limit);
    }),
    { numRuns: 150 },
  );
});

test("a page looks at no more than it may, and says where to go on when it found nothing", async () => {
  const filter = { ...ALL, capability: "none" };

  const { ids, pages } = await walked(filter, { order: "newest first", limit: 5, lookMax: 10 });

  expect(ids).toEqual([]);
  expect(pages).toEqual([0, 0, 0]);
});
