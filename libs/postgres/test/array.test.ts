import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  bigintArray,
  booleanArray,
  byteaArray,
  integerArray,
  textArray,
  timeArray,
} from "../src/index.ts";
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
  expect(await read(integerArray([1, undefined, -3]), "integer")).toEqual([1, null, -3]);
  expect(await read(integerArray([]), "integer")).toEqual([]);
  const large = [2n ** 63n - 1n, undefined, -(2n ** 63n), 0n];
  expect(await read(bigintArray(large), "bigint")).toEqual(
    large.map((number) => number?.toString() ?? null),
  );
});

test("an array of booleans arrives as it was", async () => {
  expect(await read(booleanArray([true, undefined, false]), "boolean")).toEqual([
    true,
    null,
    false,
  ]);
});

test("an array of times arrives as it was, before and after 2000", async () => {
  const time = fc.date({
    noInvalidDate: true,
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(time, { nil: undefined })), async (times) => {
      const { rows } = await database.pool.query<{ ms: string | null }>(
        "select extract(epoch from at) * 1000 as ms from unnest($1::timestamptz[]) as told (at)",
        [timeArray(times)],
      );

      const ms = rows.map((row) => (row.ms === null ? undefined : Number(row.ms)));
      expect(ms).toEqual(times.map((at) => at?.getTime()));
    }),
  );
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

test("an array arrives as it was, however long it is", async () => {
  const texts = Array.from({ length: 5_000 }, (_, nth) => "é".repeat(nth % 100));

  expect(await read(textArray(texts), "text")).toEqual(texts);
});
