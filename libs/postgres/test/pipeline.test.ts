import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPool, type Pool, type Tx, violated, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;
/** One connection, so that each test shows that it stays usable. */
let pool: Pool;

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  });
  await database.pool.query(
    "create table lines (id int primary key, at int generated always as identity)",
  );
  pool = createPool(database.url, { schema: "bank", max: 1, pipeline: true });
});
afterAll(async () => {
  await pool.end();
  await database[Symbol.asyncDispose]();
});
beforeEach(() => database.pool.query("truncate lines restart identity"));

function insert(tx: Tx, id: number, name?: string) {
  const text = "insert into lines values ($1)";
  return tx.query(name === undefined ? { text, values: [id] } : { name, text, values: [id] });
}

async function stored(): Promise<number[]> {
  const { rows } = await database.pool.query("select id from lines order by at");
  return rows.map(({ id }) => id);
}

async function connection(): Promise<number> {
  return (await pool.query("select pg_backend_pid() as pid")).rows[0].pid;
}

describe("statements that a transaction issues together", () => {
  test("are all sent without waiting, when the pool is made so", async () => {
    const [piped, plain] = await Promise.all([pool.connect(), database.pool.connect()]);
    const pipelines = [piped.pipeline, plain.pipeline];
    piped.release();
    plain.release();

    expect(pipelines).toEqual([true, false]);
  });

  test("run in the order in which they were issued, and are answered each its own", async () => {
    const answers = await withTransaction(pool, (tx) =>
      Promise.all([
        insert(tx, 3),
        tx.query("select count(*)::int as count from lines"),
        insert(tx, 1),
        tx.query("select count(*)::int as count from lines"),
      ]),
    );

    expect([answers[1].rows, answers[3].rows]).toEqual([[{ count: 1 }], [{ count: 2 }]]);
    expect(await stored()).toEqual([3, 1]);
  });

  test("fail as a whole with the error of the first that failed", async () => {
    const before = await connection();

    const failed: unknown = await withTransaction(pool, (tx) =>
      Promise.all([insert(tx, 1), insert(tx, 1), insert(tx, 2), tx.query("select 1 / 0")]),
    ).catch((error) => error);

    expect(violated(failed)).toBe("lines_pkey");
    expect(await stored()).toEqual([]);
    expect(await connection()).toBe(before);
  });

  test("fail with that error also when one behind it is waited for first", async () => {
    const failed: unknown = await withTransaction(pool, async (tx) => {
      const [first, second] = [tx.query("select 1 / 0"), insert(tx, 1)];
      await second;
      await first;
    }).catch((error) => error);

    expect(failed).toMatchObject({ message: "division by zero" });
    expect(await stored()).toEqual([]);
  });

  test("do not commit when the error of one was swallowed, which is then the cause", async () => {
    const failed: unknown = await withTransaction(pool, async (tx) => {
      await Promise.allSettled([insert(tx, 1), insert(tx, 1), insert(tx, 2)]);
    }).catch((error) => error);

    expect(failed).toMatchObject({ cause: { constraint: "lines_pkey" } });
    expect(await stored()).toEqual([]);
  });

  test("may be prepared ones, before and after a transaction of theirs failed", async () => {
    const three = (tx: Tx, ids: readonly number[]) =>
      Promise.all(ids.map((id) => insert(tx, id, "insert_line")));
    const before = await connection();

    await expect(
      withTransaction(pool, (tx) => Promise.all([tx.query("select 1 / 0"), three(tx, [1, 2])])),
    ).rejects.toThrow("division by zero");
    await withTransaction(pool, (tx) => three(tx, [1, 2, 3]));
    await expect(withTransaction(pool, (tx) => three(tx, [4, 4, 5]))).rejects.toThrow("lines_pkey");
    await withTransaction(pool, (tx) => three(tx, [4, 5]));

    expect(await stored()).toEqual([1, 2, 3, 4, 5]);
    expect(await connection()).toBe(before);
  });

  test("write nothing when they are aborted, and leave nothing running", async () => {
    const before = await connection();
    const stopping = new AbortController();
    const { signal } = stopping;

    const aborted = withTransaction(
      pool,
      (tx) => Promise.all([insert(tx, 1), tx.query("select pg_sleep(60)"), insert(tx, 2)]),
      { signal },
    );
    const refused = expect(aborted).rejects.toThrow("enough");
    const sleeping = () =>
      database.pool.query(
        "select from pg_stat_activity where wait_event = 'PgSleep' and pid = $1",
        [before],
      );
    await expect.poll(async () => (await sleeping()).rowCount).toBe(1);
    stopping.abort(new Error("enough"));
    await refused;

    expect((await sleeping()).rowCount).toBe(0);
    expect(await stored()).toEqual([]);
    expect(await connection()).toBe(before);
  });

  test("are all issued again after a deadlock", async () => {
    let tries = 0;

    await withTransaction(pool, (tx) => {
      const first = ++tries === 1;
      const deadlock = "do $$ begin raise exception 'lost' using errcode = '40P01'; end $$";
      return Promise.all([insert(tx, 1), tx.query(first ? deadlock : "select 1"), insert(tx, 2)]);
    });

    expect(tries).toBe(2);
    expect(await stored()).toEqual([1, 2]);
  });

  test("write nothing when the connection breaks, and the next transaction gets another", async () => {
    const before = await connection();

    await expect(
      withTransaction(pool, (tx) =>
        Promise.all([
          insert(tx, 1),
          tx.query("select pg_terminate_backend(pg_backend_pid())"),
          insert(tx, 2),
        ]),
      ),
    ).rejects.toThrow(/terminat/);
    await withTransaction(pool, (tx) => Promise.all([insert(tx, 3), insert(tx, 4)]));

    expect(await stored()).toEqual([3, 4]);
    expect(await connection()).not.toBe(before);
  });
});
