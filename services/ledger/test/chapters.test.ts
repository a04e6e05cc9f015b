import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Command } from "../src/command.ts";
import {
  ALL,
  CHAPTER_ENTRIES,
  cancelOf,
  depositOf,
  eur,
  openStores,
  outcomeOf,
  recordOf,
  waitingBackends,
} from "./books.ts";
import { booksForFile } from "./opened.ts";

const clock = { ms: Date.parse("2026-03-01T00:00:00Z") };
const { database } = await booksForFile();
const { ledger: store } = openStores(database, () => new Date(clock.ms));

beforeAll(() => store.commit([depositOf()]));

afterEach(async () => {
  expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
});

const LIMIT: Command = { kind: "limit", owner: "ann", limit: eur(1) };

/** Lets the chapter lack so many entries until the next one begins. */
async function shorten(entries: number): Promise<void> {
  await database.pool.query("update journal_head set chapter_entries = $1", [
    CHAPTER_ENTRIES - entries,
  ]);
}

async function chapterOf({ terms }: ReturnType<typeof recordOf>): Promise<number> {
  const { rows } = await database.pool.query("select chapter from transactions where id = $1", [
    terms.id,
  ]);
  return rows[0].chapter;
}

/** Records from memory, or under lock as a batch with anything but payments is. */
async function record(road: string): Promise<number> {
  const command = recordOf({ amount: eur(1) });
  await store.commit(road === "from memory" ? [command] : [LIMIT, command]);
  return chapterOf(command);
}

const ROADS = ["from memory", "under lock"];

test.each(ROADS)("a chapter begins a second behind one that is full, %s", async (road) => {
  const before = await record("from memory");
  await shorten(2);

  await record(road);
  clock.ms += 999;
  const [full, soon] = [await record(road), await record(road)];
  clock.ms += 1_001;
  const later = await record(road);

  expect([full, soon, later]).toEqual([before, before, before + 1]);
});

test.each(ROADS)(
  "a batch decided %s is in the chapter that began while it waited",
  async (road) => {
    const before = await record("from memory");
    clock.ms += 5_000;
    const command = recordOf({ amount: eur(1) });
    const { ledger } = openStores(database, () => new Date(clock.ms));
    const blocker = await database.pool.connect();
    await blocker.query("begin; select from journal_head for update");

    const commit = ledger.commit(road === "from memory" ? [command] : [LIMIT, command]);
    await vi.waitFor(async () => expect(await waitingBackends(database)).toBe(1));
    await blocker.query(`update journal_head set chapter_entries = ${CHAPTER_ENTRIES}; commit`);
    blocker.release();

    expect(outcomeOf((await commit).answers.at(-1))).toBe("PENDING");
    expect(await chapterOf(command)).toBe(before + 1);
  },
);

test("a batch whose clock is behind is in the chapter of its time", async () => {
  const before = await record("from memory");
  await shorten(1);
  await record("from memory");
  clock.ms += 5_000;
  expect(await record("from memory")).toBe(before + 1);

  clock.ms -= 5_000;

  expect(await Promise.all(ROADS.map(record))).toEqual([before, before]);
  clock.ms += 5_000;
});

describe("while a clock was ahead by years", () => {
  test("no chapter begins that nobody could be in, and lists hold everything in order", async () => {
    clock.ms += 5_000;
    const now = clock.ms;
    const ids: string[] = [];
    for (const ms of [now, now + 1e11, now + 1, now + 2, now + 3]) {
      clock.ms = ms;
      const command = recordOf({ payer: "ann", provider: "eve", amount: eur(1) });
      await store.commit([command]);
      await shorten(1);
      await store.commit([cancelOf(command.terms.id)]);
      ids.push(command.terms.id);
    }

    const [first, ahead, ...others] = ids;
    const hers = { ...ALL, agent: "eve" };
    const { transactions } = await store.listTransactions(hers, undefined, 10, {});
    expect(transactions.map(({ id }) => id)).toEqual([ahead, ...others.toReversed(), first]);
    const { rows } = await database.pool.query(
      "select max(number)::int as last, count(distinct begins)::int as times from chapters",
    );
    expect(rows[0].times).toBe(rows[0].last + 1);
  });
});
