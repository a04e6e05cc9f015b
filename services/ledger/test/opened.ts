import { afterAll, afterEach, expect } from "vitest";
import type { LedgerStore } from "../src/store.ts";
import { openDatabase, openStores } from "./books.ts";

/** Books on a database of their own that all tests of the file share; it ends with them. */
export async function booksForFile(now?: () => Date) {
  const database = await openDatabase();
  afterAll(() => database[Symbol.asyncDispose]());
  return { database, store: openStores(database, now).ledger };
}

/** After each test of the file nothing in the books contradicts anything else. */
export function keepBooksTrue(store: LedgerStore): void {
  afterEach(async () => {
    expect((await store.verify({ divergencesMax: 10 })).divergences).toEqual([]);
  });
}
