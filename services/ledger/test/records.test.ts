import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  putBigint,
  putBytes,
  putInteger,
  putJson,
  putName,
  putNumeric,
  putText,
  putTime,
  putUuid,
  records,
  uuids,
} from "../src/postgres/records.ts";
import { booksForFile } from "./opened.ts";

const { database } = await booksForFile();
beforeAll(async () => {
  await database.pool.query(`
    create type sent as (a_bigint bigint, an_integer integer, a_numeric numeric, a_uuid uuid,
      a_text text, a_json json, some_bytes bytea, a_time timestamptz, a_state transaction_state)`);
});

interface Row {
  readonly bigint: bigint | undefined;
  readonly integer: number | undefined;
  readonly numeric: bigint | undefined;
  readonly uuid: string | undefined;
  readonly text: string | undefined;
  readonly json: string | undefined;
  readonly bytes: Uint8Array;
  readonly time: Date | undefined;
  readonly state: string | undefined;
}

function put(row: Row): void {
  putBigint(row.bigint);
  putInteger(row.integer);
  putNumeric(row.numeric);
  putUuid(row.uuid);
  putText(row.text);
  putJson(row.json);
  putBytes(Buffer.concat([Buffer.of(7), row.bytes]), 1, row.bytes.length);
  putTime(row.time);
  putName(row.state);
}

const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
/** What Postgres can hold. */
const text = fc.string({ unit: "grapheme" }).filter((some) => !some.includes("\0"));
/** Of every size, and about where doubles stop being exact. */
const numeric = fc.oneof(
  fc.bigInt({ min: -(10n ** 39n), max: 10n ** 39n }),
  fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
  fc.tuple(fc.bigInt(1n, 4n), fc.bigInt(-2n, 2n)).map(([nth, away]) => 10_000n ** nth + away),
  fc.bigInt(2n ** 53n - 3n, 2n ** 53n + 3n),
  fc.bigInt(0n, 10n),
);
const row: fc.Arbitrary<Row> = fc.record({
  bigint: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  integer: maybe(fc.integer()),
  numeric: maybe(numeric),
  uuid: maybe(fc.uuid()),
  text: maybe(text),
  json: maybe(text.map((some) => JSON.stringify(some))),
  bytes: fc.uint8Array(),
  time: maybe(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") })),
  state: maybe(fc.constantFrom("PENDING", "SETTLED")),
});

describe("rows that are sent in binary", () => {
  test("are what they were", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row), async (sent) => {
        const { rows } = await database.pool.query({
          text: `select a_bigint::text, an_integer, a_numeric::text, a_uuid, a_text,
              a_json::text, some_bytes, a_time, a_state::text
            from unnest($1::sent[])`,
          values: [records(sent, put)],
          rowMode: "array",
        });

        expect(rows).toEqual(
          sent.map(({ bigint, integer, numeric, uuid, text, json, bytes, time, state }) => [
            bigint === undefined ? null : String(bigint),
            integer ?? null,
            numeric === undefined ? null : String(numeric),
            uuid ?? null,
            text ?? null,
            json ?? null,
            Buffer.from(bytes),
            time ?? null,
            state ?? null,
          ]),
        );
      }),
    );
  });

  test("may be large", async () => {
    const some = { bigint: 1n, integer: 1, numeric: 1n, uuid: randomUUID(), time: new Date(0) };
    const large = { ...some, json: undefined, bytes: Buffer.of(), state: "PENDING" };
    const texts = ["a".repeat(3_000_000), "\u20ac", "z".repeat(1_000_000)];
    const sent = texts.map((text) => ({ ...large, text }));
    for (let nth = 0; nth < 2; nth += 1) {
      const { rows } = await database.pool.query("select a_text, a_uuid from unnest($1::sent[])", [
        records(sent, put),
      ]);

      expect(rows.map((found) => found.a_text === texts.shift())).toEqual([true, true, true]);
      expect(rows.every((found) => found.a_uuid === some.uuid)).toBe(true);
      texts.push(...sent.map(({ text }) => text));
    }
  });

  test("may be ids alone", async () => {
    for (const ids of [[], [randomUUID()], Array.from({ length: 5_000 }, () => randomUUID())]) {
      const { rows } = await database.pool.query("select unnest($1::uuid[]) as id", [uuids(ids)]);
      expect(rows.map(({ id }) => id)).toEqual(ids);
    }
  });

  test.each([
    "",
    "0199",
    "01990000-0000-7000-8000-00000000000g",
    "01990000-0000-7000-8000-00000000000\u{100}",
    "01990000-0000-7000-8000-0000000000000",
  ])("bear no id %j", (id) => {
    expect(() => uuids([id])).toThrow(TypeError);
  });
});
