import fc from "fast-check";
import type { Pool } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BinaryRow, copyOut, literal } from "../src/copy-out.ts";
import { createPool } from "../src/pool.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;
let pipelined: Pool;

beforeAll(async () => {
  const directory = new URL("./migrations/", import.meta.url);
  database = await testDatabase({ schema: "copies", directory });
  pipelined = createPool(database.url, { pipeline: true, max: 1 });
});
afterAll(async () => {
  await pipelined.end();
  await database[Symbol.asyncDispose]();
});

const first = <T>(select: string, read: (row: BinaryRow) => T) =>
  copyOut(database.pool, select, read).then(([found]) => found);

const anyText = fc
  .oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "'", "\\", "\\'", "\\x", "$1"))
  .filter((text) => !text.includes("\0") && text.isWellFormed());
const anyBigint = fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n });

test("a row is read as it was written", async () => {
  const anyRow = fc.record({
    text: anyText,
    bytes: fc.uint8Array(),
    integer: fc.integer(),
    bigint: anyBigint,
    xid: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    json: fc.json(),
  });
  await fc.assert(
    fc.asyncProperty(anyRow, async ({ text, bytes, integer, bigint, xid, json }) => {
      const storable = json.replaceAll("\\u0000", "");
      const select = `select ${literal(text)}::text, decode('${Buffer.from(bytes).toString("hex")}', 'hex'),
        (${literal(integer)})::integer, (${literal(bigint)})::bigint, ${literal(String(xid))}::xid8,
        ${literal(storable)}::jsonb`;

      const found = await first(select, (row) => {
        const [aText, someBytes, anInteger] = [row.text(), Buffer.from(row.bytea()), row.integer()];
        return [aText, someBytes, anInteger, row.bigint(), row.xid8(), row.jsonb()];
      });

      expect(found?.slice(0, 5)).toEqual([text, Buffer.from(bytes), integer, bigint, xid]);
      const { rows } = await database.pool.query(`select ${literal(storable)}::jsonb as json`);
      expect(found?.[5]).toEqual(rows[0].json);
    }),
  );
});

test("a time is read to the millisecond, however far away it is", async () => {
  const [min, max] = [new Date("-004000-01-01"), new Date("+200000-01-01")];
  const micros = fc.integer({ min: 0, max: 999 });
  await fc.assert(
    fc.asyncProperty(fc.date({ min, max, noInvalidDate: true }), micros, async (time, extra) => {
      const days = Math.floor(time.getTime() / 86_400_000);
      const ms = time.getTime() - days * 86_400_000;
      const found = await first(
        `select '1970-01-01Z'::timestamptz + ${days} * interval '24 hours'
          + ${ms} * interval '1 ms' + ${extra} * interval '1 us'`,
        (row) => row.timestamptz(),
      );

      expect(found).toEqual(time);
    }),
  );
});

test("a time without end is none that could be mistaken for one", async () => {
  for (const time of ["infinity", "-infinity"]) {
    const found = await first(`select '${time}'::timestamptz`, (row) => row.timestamptz());

    expect(found?.getTime()).toBeNaN();
  }
});

test("what may be null is asked for that before it is read", async () => {
  const found = await first("select null::text, 'a', null::bigint, 1", (row) => [
    row.isNull(),
    row.isNull(),
    row.text(),
    row.isNull(),
    row.integer(),
  ]);

  expect(found).toEqual([true, false, "a", true, 1]);
});

test("many rows keep their order, and none are none", async () => {
  const numbers = (count: number) =>
    copyOut(
      database.pool,
      `select n, repeat('x', n) from generate_series(1, ${count}) n`,
      (row) => {
        return row.integer() - row.text().length;
      },
    );

  expect(await numbers(3_000)).toEqual(new Array(3_000).fill(0));
  expect(await numbers(0)).toEqual([]);
});

test("bytes stay what they were when more have come", async () => {
  const select =
    "select n, decode(repeat(to_hex(16 + n % 200), 3000), 'hex') from generate_series(1, 2000) n";

  const found = await copyOut(
    database.pool,
    select,
    (row) => [row.integer(), row.bytea()] as const,
  );

  expect(found.every(([n, bytes]) => bytes.every((byte) => byte === 16 + (n % 200)))).toBe(true);
  expect(found.every(([, { length }]) => length === 3_000)).toBe(true);
});

test.each([
  ["null", "select null::integer"],
  ["of another type", "select 1::bigint"],
])("a column that is %s is refused, and the connection goes on", async (_, select) => {
  const read = (row: BinaryRow) => row.integer();
  for (const pool of [database.pool, pipelined]) {
    const rows = copyOut(pool, `${select} from generate_series(1, 3)`, read);

    await expect(rows).rejects.toThrow("a column");
    expect(await copyOut(pool, "select 7", read)).toEqual([7]);
  }
});

test("what Postgres refuses is thrown, and the connection goes on", async () => {
  const read = (row: BinaryRow) => row.integer();
  for (const pool of [database.pool, pipelined]) {
    await expect(copyOut(pool, "select 1 / 0", read)).rejects.toMatchObject({ code: "22012" });
    expect(await copyOut(pool, "select 7", read)).toEqual([7]);
  }
});

test("statements of a pipeline get their own rows", async () => {
  const found = await Promise.all([
    copyOut(pipelined, "select 1", (row) => row.integer()),
    pipelined.query("select $1::integer as n", [2]).then(({ rows }) => rows[0].n),
    copyOut(pipelined, "select 3", (row) => row.integer()),
  ]);

  expect(found).toEqual([[1], 2, [3]]);
});
