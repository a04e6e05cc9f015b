import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;

beforeAll(async () => {
  const directory = new URL("./migrations/", import.meta.url);
  database = await testDatabase({ schema: "types", directory });
});
afterAll(() => database[Symbol.asyncDispose]());

test.each(["UTC", "Europe/Berlin", "Asia/Kolkata"])(
  "a time is the same in whatever zone it is written: %s",
  async (zone) => {
    const client = await database.pool.connect();
    try {
      await client.query(`set timezone = '${zone}'`);
      const { rows } = await client.query(
        `select '2026-11-21 07:00:00.123456Z'::timestamptz as a, '2026-07-01 00:00:00Z'::timestamptz as b,
          '0099-01-01 00:00:00Z'::timestamptz as c, null::timestamptz as d`,
      );

      expect(rows).toEqual([
        {
          a: new Date("2026-11-21T07:00:00.123Z"),
          b: new Date("2026-07-01T00:00:00.000Z"),
          c: new Date("0099-01-01T00:00:00.000Z"),
          d: null,
        },
      ]);
    } finally {
      await client.query("reset timezone");
      client.release();
    }
  },
);

test("a time without end is none that could be mistaken for one", async () => {
  const { rows } = await database.pool.query("select 'infinity'::timestamptz as a");

  expect(rows).toEqual([{ a: Number.POSITIVE_INFINITY }]);
});

test("equal times are read as dates of their own", async () => {
  const { rows } = await database.pool.query(
    `select '2026-11-21 07:00:00.5Z'::timestamptz as a, '2026-11-21 07:00:00.5Z'::timestamptz as b`,
  );
  rows[0].a.setTime(0);

  expect(rows[0].b).toEqual(new Date("2026-11-21T07:00:00.500Z"));
});
