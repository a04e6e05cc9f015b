import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPool, ensurePartitions, keepPartitions, type Pool } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

const NOVEMBER = new Date("2026-11-21T04:00:00Z");

let database: TestDatabase;
let pool: Pool;
let table: string;
let count = 0;

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  });
  pool = database.pool;
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  table = `lines_${++count}`;
  await pool.query(
    `create table ${table} (
       id uuid not null,
       position bigint generated always as identity,
       amount bigint not null default 1,
       constraint ${table}_pkey primary key (id),
       constraint ${table}_amount_positive check (amount > 0)
     ) partition by range (id);
     create index ${table}_position on ${table} (position);
     create table ${table}_default partition of ${table} default`,
  );
});

/** A UUIDv7 of that time; `last` is the greatest of its millisecond. */
function uuidAt(time: string, last = false): string {
  const hex = Date.parse(time).toString(16).padStart(12, "0");
  const rest = last ? "7fff-bfff-ffffffffffff" : "7000-8000-000000000000";
  return `${hex.slice(0, 8)}-${hex.slice(8)}-${rest}`;
}

async function insertAt(time: string, last?: boolean): Promise<void> {
  await pool.query(`insert into ${table} (id) values ($1)`, [uuidAt(time, last)]);
}

/** In which partition the row of each time stands, without the name of the table. */
async function placeOf(time: string, last?: boolean): Promise<string> {
  const { rows } = await pool.query(
    `select tableoid::regclass as place from ${table} where id = $1`,
    [uuidAt(time, last)],
  );
  return rows[0].place.slice(table.length + 1);
}

async function partitions(): Promise<string[]> {
  const { rows } = await pool.query(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1",
    [table],
  );
  return rows.map(({ name }) => name.slice(table.length + 1));
}

async function waiters(): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}

describe("the partitions of a table", () => {
  test("are made for this month and those ahead, once", async () => {
    const made = await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 2 });
    const again = await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 2 });

    expect(made).toEqual(["2026_11", "2026_12", "2027_01"].map((month) => `${table}_${month}`));
    expect(again).toEqual([]);
    expect(await partitions()).toEqual(["2026_11", "2026_12", "2027_01", "default"]);
  });

  test("hold the rows of their month, from its first millisecond to its last", async () => {
    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 1 });
    const cases = [
      ["2026-10-31T23:59:59.999Z", true, "default"],
      ["2026-11-01T00:00:00.000Z", false, "2026_11"],
      ["2026-11-30T23:59:59.999Z", true, "2026_11"],
      ["2026-12-01T00:00:00.000Z", false, "2026_12"],
      ["2026-12-31T23:59:59.999Z", true, "2026_12"],
      ["2027-01-01T00:00:00.000Z", false, "default"],
    ] as const;

    for (const [time, last] of cases) await insertAt(time, last);

    const places = await Promise.all(cases.map(([time, last]) => placeOf(time, last)));
    expect(places).toEqual(cases.map(([, , place]) => place));
  });

  test("have the keys, indexes, checks and defaults of the table", async () => {
    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 0 });
    await insertAt("2026-11-02T00:00:00Z");
    await insertAt("2026-11-03T00:00:00Z");

    await expect(insertAt("2026-11-02T00:00:00Z")).rejects.toThrow("duplicate key");
    await expect(
      pool.query(`insert into ${table} values ($1, default, 0)`, [uuidAt("2026-11-04T00:00:00Z")]),
    ).rejects.toThrow("amount_positive");
    const { rows } = await pool.query(`select position, amount from ${table} order by position`);
    expect(rows).toEqual([
      { position: "1", amount: "1" },
      { position: "2", amount: "1" },
    ]);
    const { rowCount } = await pool.query(
      "select from pg_index where indrelid = $1::regclass and indisvalid",
      [`${table}_2026_11`],
    );
    expect(rowCount).toBe(2);
  });

  test("are not emptied where the table refuses it", async () => {
    await pool.query(
      `create or replace function refuse_${table}() returns trigger language plpgsql as $$
         begin raise 'refused by %', tg_name; end $$;
       create trigger ${table}_kept before truncate on ${table}
         for each statement execute function refuse_${table}()`,
    );

    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 0 });

    const emptied = pool.query(`truncate ${table}_2026_11`);
    await expect(emptied).rejects.toThrow(`refused by ${table}_kept`);
  });

  test("are made by many processes at once, each of them once", async () => {
    const pools = Array.from({ length: 8 }, () =>
      createPool(database.url, { schema: "bank", max: 1 }),
    );

    const made = await Promise.all(
      pools.map((each) => ensurePartitions(each, { table, now: NOVEMBER, monthsAhead: 3 })),
    );

    await Promise.all(pools.map((each) => each.end()));
    expect(made.flat().sort()).toEqual([...new Set(made.flat())].sort());
    expect(await partitions()).toHaveLength(5);
  });

  test("are made while transactions that write to the table are open", async () => {
    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 0 });
    const writer = await pool.connect();
    await writer.query("begin");
    await writer.query(`insert into ${table} (id) values ($1)`, [uuidAt("2026-11-05T00:00:00Z")]);

    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 1 });
    await writer.query(`insert into ${table} (id) values ($1)`, [uuidAt("2026-12-05T00:00:00Z")]);
    await writer.query("commit");
    writer.release();

    expect(await placeOf("2026-12-05T00:00:00Z")).toBe("2026_12");
  });

  test("wait for whoever reads the default partition, without holding up writers", async () => {
    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 0 });
    const reader = await pool.connect();
    await reader.query(`begin; select from ${table}`);

    const making = ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 1 });
    for (const day of ["06", "07", "08"]) {
      await expect.poll(waiters).toBe(1);
      await insertAt(`2026-11-${day}T00:00:00Z`);
      await pool.query(`select from ${table}`);
      await expect.poll(waiters).toBe(0);
    }
    await reader.query("commit");
    reader.release();

    expect(await making).toEqual([`${table}_2026_12`]);
  });

  test("leave nothing behind when a lock is not to be had", async () => {
    const reader = await pool.connect();
    await reader.query(`begin; select from ${table}`);

    const options = { table, now: NOVEMBER, monthsAhead: 0, lockTimeoutMs: 1 };
    await expect(ensurePartitions(pool, options)).rejects.toThrow(
      `partition ${table}_2026_11 cannot be made: canceling statement due to lock timeout`,
    );
    await reader.query("commit");
    reader.release();

    expect(await partitions()).toEqual(["default"]);
    expect(await ensurePartitions(pool, options)).toEqual([`${table}_2026_11`]);
  });

  test("are made around a month whose rows stand in the default partition, which is named", async () => {
    await insertAt("2026-12-05T00:00:00Z");

    await expect(ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 2 })).rejects.toThrow(
      `partition ${table}_2026_12 cannot be made: ${table}_default has rows of that month`,
    );

    expect(await partitions()).toEqual(["2026_11", "2027_01", "default"]);
    expect(await placeOf("2026-12-05T00:00:00Z")).toBe("default");
  });

  test.each([
    ["far ahead", "+012026-05-01T00:00:00Z", RangeError],
    ["before 1970", "1969-12-31T00:00:00Z", RangeError],
    ["broken", "never", RangeError],
  ])("are not made by a clock that is %s, beyond what ids can tell", async (_, time, error) => {
    const now = new Date(time);

    await expect(ensurePartitions(pool, { table, now })).rejects.toThrow(error);

    expect(await partitions()).toEqual(["default"]);
  });

  test("of another time, made by a wrong clock, do no harm to those of today", async () => {
    for (const time of ["2099-01-15T00:00:00Z", "1999-01-15T00:00:00Z"]) {
      await ensurePartitions(pool, { table, now: new Date(time), monthsAhead: 0 });
    }
    await ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead: 0 });
    await insertAt("2026-11-09T00:00:00Z");
    await insertAt("2099-01-09T00:00:00Z");

    expect(await placeOf("2026-11-09T00:00:00Z")).toBe("2026_11");
    expect(await placeOf("2099-01-09T00:00:00Z")).toBe("2099_01");
  });

  test.each([-1, 0.5, 121])("are not made %d months ahead", async (monthsAhead) => {
    await expect(ensurePartitions(pool, { table, now: NOVEMBER, monthsAhead })).rejects.toThrow(
      RangeError,
    );
  });
});

describe("keeping partitions", () => {
  test("has made those of today before it goes on, and makes the next as time passes", async () => {
    let now = NOVEMBER;
    const clock = () => now;

    await using _keeper = await keepPartitions({
      pool,
      table,
      now: clock,
      monthsAhead: 0,
      everyMs: 5,
    });
    expect(await partitions()).toEqual(["2026_11", "default"]);
    now = new Date("2026-12-01T00:00:00Z");

    await expect.poll(partitions).toEqual(["2026_11", "2026_12", "default"]);
  });

  test("reports what fails, and mends it when the cause is gone", async () => {
    await insertAt("2026-11-05T00:00:00Z");
    const faults: string[] = [];
    const onFault = (error: unknown) => faults.push(String(error));

    await using _keeper = await keepPartitions({
      ...{ pool, table, now: () => NOVEMBER, monthsAhead: 0, retryMs: 5, onFault },
    });
    expect(faults).toEqual([expect.stringContaining("has rows of that month")]);
    await insertAt("2026-11-06T00:00:00Z");
    await pool.query(`delete from ${table}`);

    await expect.poll(partitions).toEqual(["2026_11", "default"]);
  });

  test("begins without a database, too", async () => {
    const away = createPool("postgres://nobody@127.0.0.1:1/none", { max: 1 });
    const faults: unknown[] = [];
    const onFault = (error: unknown) => faults.push(error);

    const keeper = await keepPartitions({ pool: away, table, now: () => NOVEMBER, onFault });
    await keeper[Symbol.asyncDispose]();

    expect(faults).toHaveLength(1);
    await away.end();
  });
});
