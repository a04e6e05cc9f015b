import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { byteaArray, plainArray, textArray } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase({
    schema: "arrays",
    directory: new URL("./migrations/", import.meta.url),
  });
});
afterAll(() => database[Symbol.asyncDispose]());

async function read(value: unknown, type: string): Promise<unknown> {
  const { rows } = await database.pool.query<{ list: unknown }>(`select $1::${type}[] as list`, [
    value,
  ]);
  return rows[0]?.list;
}

test("an array of texts arrives as it was, whatever stands in them", async () => {
  const hard = fc.constantFrom(
    "null",
    "NULL",
    "",
    '"',
    "\\",
    "\\n",
    "{}",
    ",",
    "\n",
    "\u0001",
    "😀",
  );
  const text = fc.oneof(
    hard,
    fc.string({ unit: "binary" }).filter((it) => !it.includes("\0")),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(text), async (texts) => {
      expect(await read(textArray(texts), "text")).toEqual(texts);
    }),
  );
});

test("an array of numbers arrives as it was, and undefined as null", async () => {
  expect(await read(plainArray([1, undefined, -3]), "integer")).toEqual([1, null, -3]);
  expect(await read(plainArray([]), "integer")).toEqual([]);
});

test("an array of bytes arrives as it was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array()), async (list) => {
      const arrived = (await read(byteaArray(list), "bytea")) as Buffer[];

      expect(arrived.map((bytes) => [...bytes])).toEqual(list.map((bytes) => [...bytes]));
    }),
    { numRuns: 20 },
  );
});
