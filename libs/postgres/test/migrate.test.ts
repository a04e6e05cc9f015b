import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createPool, migrate, type Pool, SchemaTooNewError } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

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
    max: 2,
  });
  pool = database.pool;
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bourse-migrations-"));
  directory = pathToFileURL(`${folder}/`);
  schema = `shop_${++count}`;
});
afterEach(() => rm(folder, { recursive: true }));

async function applied(): Promise<string[]> {
  const { rows } = await pool.query(`select id from ${schema}.migrations order by applied_at, id`);
  return rows.map((row) => row.id);
}

test("the tables of this library come first, then the files in order", async () => {
  await writeFile(join(folder, "0002_goods.sql"), "insert into shops values ('a')");
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text)");

  await migrate(pool, { schema, directory });

  expect(await applied()).toEqual([
    "shared/0001_requests",
    "shared/0002_outbox",
    "shared/0003_outbox_lanes",
    "shared/0004_outbox_arrivals",
    "0001_shops",
    "0002_goods",
  ]);
  expect((await pool.query(`select id from ${schema}.shops`)).rows).toEqual([{ id: "a" }]);
  expect((await pool.query(`select from ${schema}.outbox`)).rowCount).toBe(0);
});

test("only what is missing is applied", async () => {
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text)");
  await migrate(pool, { schema, directory });
  await writeFile(join(folder, "0002_goods.sql"), "create table goods (id text)");

  await migrate(pool, { schema, directory });

  expect((await applied()).slice(4)).toEqual(["0001_shops", "0002_goods"]);
});

test("20 concurrent migrators all succeed, and each migration runs once", async () => {
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text)");
  await writeFile(join(folder, "0002_shop.sql"), "insert into shops values ('only')");
  const pools = Array.from({ length: 20 }, () => createPool(database.url, { max: 1 }));

  await Promise.all(pools.map((each) => migrate(each, { schema, directory })));

  await Promise.all(pools.map((each) => each.end()));
  expect(await applied()).toHaveLength(6);
  expect((await pool.query(`select id from ${schema}.shops`)).rows).toEqual([{ id: "only" }]);
});

test("a migration that fails leaves nothing behind and is named", async () => {
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text); select 1 / 0;");

  await expect(migrate(pool, { schema, directory })).rejects.toThrow(
    `migration 0001_shops of schema ${schema} failed: division by zero`,
  );

  expect(await applied()).toEqual([
    "shared/0001_requests",
    "shared/0002_outbox",
    "shared/0003_outbox_lanes",
    "shared/0004_outbox_arrivals",
  ]);
  const { rows } = await pool.query("select to_regclass($1) as shops", [`${schema}.shops`]);
  expect(rows).toEqual([{ shops: null }]);
});

test("one that waits for a busy table lets others at it meanwhile, and succeeds later", async () => {
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text)");
  await migrate(pool, { schema, directory });
  await writeFile(join(folder, "0002_name.sql"), "alter table shops add column name text");
  const reader = createPool(database.url, { schema, max: 2 });
  const long = await reader.connect();
  await long.query("begin; select from shops");

  const migrating = migrate(pool, { schema, directory, lockTimeoutMs: 100 });
  await expect.poll(() => locksWaitedFor()).toBe(1);
  await reader.query("select from shops");
  await expect.poll(() => locksWaitedFor()).toBe(0);
  await long.query("commit");
  long.release();

  await migrating;
  expect((await applied()).at(-1)).toBe("0002_name");
  await reader.end();
});

test("a migration may take longer than statements may otherwise", async () => {
  await writeFile(join(folder, "0001_slow.sql"), "select pg_sleep(0.3)");
  const url = `${database.url}?options=${encodeURIComponent("-c statement_timeout=200")}`;
  const hasty = createPool(url, { max: 1 });

  await migrate(hasty, { schema, directory });

  await hasty.end();
  expect(await applied()).toContain("0001_slow");
});

test("a database newer than the directory is refused and left as it is", async () => {
  await writeFile(join(folder, "0001_shops.sql"), "create table shops (id text)");
  await writeFile(join(folder, "0002_goods.sql"), "create table goods (id text)");
  await migrate(pool, { schema, directory });
  await rm(join(folder, "0002_goods.sql"));

  const refused: unknown = await migrate(pool, { schema, directory }).catch((error) => error);

  expect(refused).toBeInstanceOf(SchemaTooNewError);
  expect(refused).toMatchObject({ schema, unknown: ["0002_goods"] });
});

test.each([
  ["a misnamed file", ["first.sql"], "first.sql in"],
  ["a number used twice", ["0001_a.sql", "0001_b.sql"], "0001_a.sql and 0001_b.sql"],
])("%s is refused", async (_, names, message) => {
  await Promise.all(names.map((name) => writeFile(join(folder, name), "select 1")));

  await expect(migrate(pool, { schema, directory })).rejects.toThrow(message);
});

async function locksWaitedFor(): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}
