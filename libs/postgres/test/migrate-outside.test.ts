import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPool, migrate, type Pool } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

const OUTSIDE = "-- outside a transaction\n";
const BUILD = `${OUTSIDE}create index concurrently if not exists shops_name on shops (name)`;
const BUILD_UNIQUE = BUILD.replace("create index", "create unique index");

let database: TestDatabase;
let pool: Pool;
let folder: string;
let directory: URL;
let count = 0;
let schema: string;

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  });
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bourse-migrations-"));
  directory = pathToFileURL(`${folder}/`);
  schema = `shop_${++count}`;
  pool = createPool(database.url, { schema });
  await write("0001_shops", "create table shops (id int primary key, name text, size int)");
  await migrate(pool, { schema, directory });
});
afterEach(async () => {
  await pool.end();
  await rm(folder, { recursive: true });
});

async function write(id: string, sql: string): Promise<void> {
  await writeFile(join(folder, `${id}.sql`), sql);
}

async function isApplied(id: string): Promise<boolean> {
  return (await pool.query("select from migrations where id = $1", [id])).rowCount === 1;
}

/** Undefined when there is no such index; else whether it may be used. */
async function isValid(index: string): Promise<boolean | undefined> {
  const { rows } = await pool.query(
    "select indisvalid from pg_index where indexrelid = to_regclass($1)",
    [`${schema}.${index}`],
  );
  return rows[0]?.indisvalid;
}

/** The process of the server that builds an index, once it waits for those who write. */
async function builder(): Promise<number | undefined> {
  const { rows } = await pool.query(
    `select pid from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'
       and query ilike '%index concurrently%' and pid <> pg_backend_pid()`,
  );
  return rows[0]?.pid;
}

/** A transaction that has written to the table and stays open until it is told to end. */
async function openWriter(): Promise<{ end(): Promise<void> }> {
  const client = await pool.connect();
  await client.query("begin; insert into shops values (1000, 'open')");
  return {
    async end() {
      await client.query("commit");
      client.release();
    },
  };
}

describe("a migration outside a transaction", () => {
  test("builds an index while others write to the table, however long one of them takes", async () => {
    await write("0002_name", BUILD);
    const long = await openWriter();

    const migrating = migrate(pool, { schema, directory, lockTimeoutMs: 50 });
    await expect.poll(builder).toBeDefined();
    for (let id = 1; id <= 100; id++) {
      await pool.query("insert into shops values ($1, 'new')", [id]);
      await pool.query("update shops set size = 1 where id = $1", [id]);
    }
    expect(await builder()).toBeDefined();
    await long.end();
    await migrating;

    expect(await isValid("shops_name")).toBe(true);
    expect(await isApplied("0002_name")).toBe(true);
    const { rows } = await pool.query("select count(*)::int from shops where name = 'new'");
    expect(rows).toEqual([{ count: 100 }]);
  });

  test("whose session was killed half-way is run again, without what it left", async () => {
    await write("0002_name", BUILD);
    const long = await openWriter();
    const migrating = migrate(pool, { schema, directory });
    const failed = expect(migrating).rejects.toThrow("migration 0002_name of schema");
    await expect.poll(builder).toBeDefined();

    await pool.query("select pg_terminate_backend($1)", [await builder()]);
    await failed;
    await long.end();
    expect(await isValid("shops_name")).toBe(false);
    expect(await isApplied("0002_name")).toBe(false);
    await migrate(pool, { schema, directory });

    expect(await isValid("shops_name")).toBe(true);
    expect(await isApplied("0002_name")).toBe(true);
  });

  test("leaves no index that could not be built, and builds it once it can", async () => {
    await write("0002_name", BUILD_UNIQUE);
    await pool.query("insert into shops values (1, 'same'), (2, 'same')");

    await expect(migrate(pool, { schema, directory })).rejects.toThrow("could not create unique");
    expect(await isValid("shops_name")).toBeUndefined();
    await pool.query("delete from shops where id = 2");
    await migrate(pool, { schema, directory });

    expect(await isValid("shops_name")).toBe(true);
  });

  test("that died before it was recorded is run again, and keeps what it built", async () => {
    await write("0002_name", BUILD);
    await migrate(pool, { schema, directory });
    await pool.query("delete from migrations where id = '0002_name'");
    const index = () => pool.query("select 'shops_name'::regclass::oid");
    const before = (await index()).rows;

    await migrate(pool, { schema, directory });

    expect(await isApplied("0002_name")).toBe(true);
    expect((await index()).rows).toEqual(before);
  });

  test("is done once by many callers, who wait for the one that does it", async () => {
    const add = "insert into shops select 1 + count(*) from shops";
    await write("0002_name", `${BUILD}; ${add}`);
    await write("0003_last", add);
    const long = await openWriter();
    const pools = Array.from({ length: 6 }, () => createPool(database.url, { max: 1 }));

    const migrating = Promise.all(pools.map((each) => migrate(each, { schema, directory })));
    await expect.poll(builder).toBeDefined();
    await long.end();
    await migrating;

    await Promise.all(pools.map((each) => each.end()));
    const { rows } = await pool.query("select count(*)::int from shops where id < 1000");
    expect(rows).toEqual([{ count: 2 }]);
  });

  test("validates a constraint, and adds a value to a type that it then uses", async () => {
    await write(
      "0002_size",
      `create type colour as enum ('RED');
       alter table shops add constraint shops_size check (size > 0) not valid`,
    );
    await write(
      "0003_size",
      `${OUTSIDE}alter type colour add value if not exists 'BLUE';
       alter table shops validate constraint shops_size;
       create table if not exists paints (colour colour default 'BLUE')`,
    );

    await migrate(pool, { schema, directory });

    const { rows } = await pool.query("select convalidated from pg_constraint where conname = $1", [
      "shops_size",
    ]);
    expect(rows).toEqual([{ convalidated: true }]);
  });

  test("runs a statement in batches until it changes no row, each committed by itself", async () => {
    await pool.query("alter table shops add column at xid8");
    await pool.query("insert into shops select generate_series(1, 25)");
    await write(
      "0002_size",
      `${OUTSIDE}-- in batches
       update shops set size = 1, at = pg_current_xact_id()
       where id in (select id from shops where size is null limit 10)`,
    );
    const other = await pool.connect();
    await other.query("begin; select from shops where id = 25 for update");

    const migrating = migrate(pool, { schema, directory, lockTimeoutMs: 20 });
    const done = async () => (await pool.query("select from shops where size = 1")).rowCount;
    await expect.poll(done).toBe(20);
    await other.query("commit");
    other.release();
    await migrating;

    const { rows } = await pool.query("select count(*)::int from shops group by at order by 1");
    expect(rows).toEqual([{ count: 5 }, { count: 10 }, { count: 10 }]);
  });

  test.each([
    "create index concurrently shops_name on shops (name)",
    "create unique index concurrently if not exists on shops (name)",
    'create index concurrently if not exists "Name" on shops (name)',
  ])("refuses before it begins what it could not run twice: %s", async (statement) => {
    await write("0002_name", `${OUTSIDE}insert into shops values (1); ${statement}`);

    await expect(migrate(pool, { schema, directory })).rejects.toThrow("if not exists <name> on");

    expect((await pool.query("select from shops")).rowCount).toBe(0);
  });
});
