import fc from "fast-check";
import { expect, test } from "vitest";
import { balance } from "../src/account.ts";
import type { Answer } from "../src/books.ts";
import type { LedgerStore, Road } from "../src/store.ts";
import { ALL, beginChapter, openDatabase, openStores, outcomeOf } from "./books.ts";
import { dumpBooks } from "./dump.ts";
import { histories, type Moment, paymentHistories, TRADERS } from "./histories.ts";
import { createModel } from "./model.ts";

/**
 * More histories by BOURSE_MODEL_RUNS. Each takes a database, a second or two on a busy machine, and nothing is
 * told before the last has ended: a thousand are half an hour of silence.
 */
const RUNS = Number(process.env["BOURSE_MODEL_RUNS"] ?? 60);
const START = Date.parse("2026-11-21T10:00:00Z");

function outcomesOf(answer: Answer): string {
  return answer.kind === "group" ? answer.answers.map(outcomeOf).join() : outcomeOf(answer);
}

/** What lives have in common: how many processes write them in turn, and whether chapters of the journal begin. */
interface Setting {
  readonly writers: 1 | 2;
  readonly hasChapters: boolean;
}

/** Lives a history beside the model, and answers with how many commands it was and which roads batches took. */
async function live(history: readonly Moment[], { writers, hasChapters }: Setting) {
  await using database = await openDatabase();
  let time = START;
  const now = () => new Date(time);
  const roads: Road[] = [];
  const onRoad = (road: Road) => void roads.push(road);
  const processes = [
    openStores(database, now, { onRoad }),
    openStores(database, now, { onRoad }),
  ] as const;
  const [{ ledger: books, lineage }] = processes;
  const model = createModel();
  let count = 0;
  for (const [nth, { jumpMs, commands }] of history.entries()) {
    time += jumpMs;
    if (hasChapters && nth % 4 === 3) await beginChapter(database);
    count += commands.length;
    const prints = [model.print()];
    const expected = commands.map((command) => {
      const outcome = model.run(command, now());
      prints.push(model.print());
      return outcome;
    });
    // By each: what one command opens and the next one closes again is in the books all the same.
    const isIdle = new Set(prints).size === 1;
    const before = isIdle ? await dumpBooks(database, ["burnt_transactions"]) : undefined;

    const { answers } = await (processes[nth % writers] ?? processes[0]).ledger.commit(commands);

    expect(answers.map(outcomesOf)).toEqual(expected);
    if (isIdle) expect(await dumpBooks(database, ["burnt_transactions"])).toEqual(before);
  }
  await compare(books, model);
  expect((await books.verify({ divergencesMax: 5 })).divergences).toEqual([]);
  expect((await lineage.verifyChain({})).broken).toBeUndefined();
  return { count, roads };
}

async function compare(books: LedgerStore, model: ReturnType<typeof createModel>): Promise<void> {
  for (const owner of TRADERS) {
    const { accounts } = await books.balances(owner, { holdsMax: 100 });
    for (const currency of ["EUR", "SAT", "CRD"]) {
      const found = accounts.find((account) => account.currency === currency);
      expect({
        posted: found === undefined ? 0n : balance(found),
        held: found?.debitsHeld ?? 0n,
        coming: found?.creditsHeld ?? 0n,
        limit: found?.creditLimit ?? 0n,
        owed: found?.owed ?? 0n,
        status: found?.status ?? "OPEN",
      }).toEqual(model.account(`${owner} ${currency}`));
    }
    const listed = await books.listTransactions({ ...ALL, agent: owner }, undefined, 1_000, {});
    expect(listed.transactions.map(({ id }) => id)).toEqual(
      [...model.transactions()]
        .filter(({ payerName, providerName }) => [payerName, providerName].includes(owner))
        .toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
        .map(({ id }) => id),
    );
  }
  for (const { id, amount, state, settled, owed, frozen, dispute } of model.transactions()) {
    const found = await books.findTransaction(id, {});
    const held = state === "PENDING" || (state === "DISPUTED" && !dispute?.wasSettled);
    expect(found?.transaction).toMatchObject({ state, settled, owed });
    expect(found?.transaction.hold?.amount ?? 0n).toBe(held ? amount : frozen);
  }
}

/** Lives so many histories, and answers with how many commands and which roads that was in all. */
async function liveAll(
  all: fc.Arbitrary<readonly Moment[]>,
  setting: Setting & { readonly runs: number },
) {
  let commands = 0;
  const roads: Record<Road, number> = { memory: 0, lock: 0, read: 0, stale: 0 };
  await fc.assert(
    fc.asyncProperty(all, async (history) => {
      const lived = await live(history, setting);
      commands += lived.count;
      for (const road of lived.roads) roads[road] += 1;
    }),
    // Each history takes a database: a smaller one that fails too is looked for by its seed.
    { numRuns: setting.runs, endOnFailure: true },
  );
  return { commands, roads };
}

test(
  "the ledger answers every history as the model does, and its books and chain verify after each",
  async () => {
    const { commands } = await liveAll(histories(25), {
      runs: RUNS,
      writers: 2,
      hasChapters: true,
    });

    expect(commands).toBeGreaterThan(RUNS * 20);
  },
  60_000 + RUNS * 2_000,
);

test(
  "so it does with payments that one process decides from memory",
  async () => {
    const runs = Math.ceil(RUNS / 2);

    const lived = await liveAll(paymentHistories(25), { runs, writers: 1, hasChapters: false });

    expect(lived.roads.memory).toBeGreaterThan(runs);
  },
  60_000 + RUNS * 2_000,
);
