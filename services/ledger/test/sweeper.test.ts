import { expect, test } from "vitest";
import type { Happening } from "../src/books.ts";
import { createSweeper } from "../src/postgres/sweeper.ts";
import { depositOf, eur, recordOf, settleOf } from "./books.ts";
import { booksForFile } from "./opened.ts";

const { database, store } = await booksForFile();

/** A sweeper with a clock that is set by hand, which counts its rounds. */
function aSweeper() {
  const state = { at: 0, begun: 0, done: 0 };
  const counted = {
    query: async (text: string) => {
      state.begun += 1;
      await database.pool.query(text);
      state.done += 1;
    },
  } as unknown as Parameters<typeof createSweeper>[0];
  const sweeper = createSweeper(counted, { now: () => state.at, endedMin: 10 });
  return Object.assign(state, { sweeper });
}

/** What is told of so many payments that are held and paid, one after the other. */
async function paid(count: number): Promise<readonly Happening[]> {
  const records = Array.from({ length: count }, () => recordOf({ amount: eur(1) }));
  const held = await store.commit([depositOf({ owner: "ann" }), ...records]);
  const ended = await store.commit(records.map(({ terms }) => settleOf(terms.id)));
  return [...held.happenings, ...ended.happenings];
}

test("what holds leave behind is cleaned up when enough of them have ended", async () => {
  const swept = aSweeper();
  const cleanPages = async () => {
    const { rows } = await database.pool.query(
      "select relallvisible as pages from pg_class where oid = 'holds'::regclass",
    );
    return rows[0].pages;
  };

  swept.sweeper.note(await paid(9));
  expect(swept.begun).toBe(0);
  expect(await cleanPages()).toBe(0);
  swept.sweeper.note(await paid(1));
  await expect.poll(() => swept.done).toBe(1);

  expect(await cleanPages()).toBeGreaterThan(0);
});

test("the next round waits twenty times as long as the last one took", async () => {
  const swept = aSweeper();
  const enough = await paid(10);

  swept.sweeper.note(enough);
  swept.at = 1_000;
  await expect.poll(() => swept.done).toBe(1);
  swept.at = 20_999;
  swept.sweeper.note(enough);
  expect(swept.begun).toBe(1);

  swept.at = 21_000;
  await expect
    .poll(() => {
      swept.sweeper.note(enough);
      return swept.begun;
    })
    .toBe(2);
});
