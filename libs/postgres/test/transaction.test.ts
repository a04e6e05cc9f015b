import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createPool, type Pool, sqlState, violated, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
    max: 4,
  });
  pool = database.pool;
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await pool.query("truncate accounts");
  await pool.query("insert into accounts values ('ann', 10), ('bob', 10)");
});

async function balances(): Promise<Record<string, string>> {
  const { rows } = await pool.query("select id, balance from accounts order by id");
  return Object.fromEntries(rows.map((row) => [row.id, row.balance]));
}

async function statementsRunning(fragment: string): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where state = 'active' and pid <> pg_backend_pid() and datname = current_database()
       and position($1 in query) > 0`,
    [fragment],
  );
  return rowCount ?? 0;
}

test("work that resolves is committed and its result returned", async () => {
  const result = await withTransaction(pool, async (tx) => {
    await tx.query("update accounts set balance = 3 where id = 'ann'");
    return "moved";
  });

  expect(result).toBe("moved");
  expect(await balances()).toEqual({ ann: "3", bob: "10" });
});

test("work that throws is rolled back and its error thrown", async () => {
  const failure = new Error("no");

  const running = withTransaction(pool, async (tx) => {
    await tx.query("update accounts set balance = 3 where id = 'ann'");
    throw failure;
  });

  await expect(running).rejects.toBe(failure);
  expect(await balances()).toEqual({ ann: "10", bob: "10" });
});

test("a violated constraint is named", async () => {
  const overdraw = withTransaction(pool, (tx) =>
    tx.query("update accounts set balance = -1 where id = 'ann'"),
  );
  const error: unknown = await overdraw.catch((reason: unknown) => reason);

  expect(violated(error)).toBe("accounts_balance_positive");
  expect(sqlState(error)).toBe("23514");
  expect(violated(new Error("else"))).toBeUndefined();
  expect(violated("else")).toBeUndefined();
});

test("a swallowed statement error does not pass for a commit", async () => {
  const running = withTransaction(pool, async (tx) => {
    await tx.query("update accounts set balance = 3 where id = 'ann'");
    await tx.query("select 1 / 0").catch(() => {});
  });

  await expect(running).rejects.toThrow("nothing was committed");
  expect(await balances()).toEqual({ ann: "10", bob: "10" });
});

test("a statement after the end is refused", async () => {
  const escaped = await withTransaction(pool, async (tx) => ({ tx }));

  await expect(escaped.tx.query("select 1")).rejects.toThrow("the transaction is over");
});

test("a deadlock runs the loser's work again until both are done", async () => {
  const order = [
    ["ann", "bob"],
    ["bob", "ann"],
  ];
  const { promise: bothHold, resolve } = Promise.withResolvers<void>();
  let holding = 0;

  await Promise.all(
    order.map(([first, second]) =>
      withTransaction(pool, async (tx) => {
        await tx.query("update accounts set balance = balance + 1 where id = $1", [first]);
        if (++holding === 2) resolve();
        await bothHold;
        await tx.query("update accounts set balance = balance + 1 where id = $1", [second]);
      }),
    ),
  );

  expect(holding).toBeGreaterThan(2);
  expect(await balances()).toEqual({ ann: "12", bob: "12" });
});

test("a lost serializable race is retried a bounded number of times, then thrown", async () => {
  let runs = 0;

  const running = withTransaction(
    pool,
    async (tx) => {
      runs++;
      await tx.query("select balance from accounts where id = 'ann'");
      await pool.query("update accounts set balance = balance + 1 where id = 'ann'");
      await tx.query("update accounts set balance = balance + 1 where id = 'ann'");
    },
    { isolation: "serializable", retries: 2 },
  );

  await expect(running).rejects.toMatchObject({ code: "40001" });
  expect(runs).toBe(3);
  expect(await balances()).toEqual({ ann: "13", bob: "10" });
});

test("an abort cancels the running statement on the server and throws its reason", async () => {
  const controller = new AbortController();
  const gone = new Error("the caller hung up");
  const running = withTransaction(
    pool,
    async (tx) => {
      await tx.query("update accounts set balance = 3 where id = 'ann'");
      await tx.query("select pg_sleep(60)");
    },
    { signal: controller.signal },
  );
  running.catch(() => {});
  await expect.poll(() => statementsRunning("pg_sleep(60)")).toBe(1);

  controller.abort(gone);

  await expect(running).rejects.toBe(gone);
  expect(await statementsRunning("pg_sleep(60)")).toBe(0);
  expect(await balances()).toEqual({ ann: "10", bob: "10" });
});

test("an abort works even when every connection of the pool is busy", async () => {
  const narrow = createPool(database.url, { schema: "bank", max: 1 });
  const controller = new AbortController();
  const sleep = withTransaction(narrow, (tx) => tx.query("select pg_sleep(61)"), controller);
  const queued = withTransaction(narrow, (tx) => tx.query("select 1"), controller);
  sleep.catch(() => {});
  queued.catch(() => {});
  await expect.poll(() => statementsRunning("pg_sleep(61)")).toBe(1);

  controller.abort(new Error("stop"));

  await expect(queued).rejects.toThrow("stop");
  await expect(sleep).rejects.toThrow("stop");
  expect((await narrow.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await narrow.end();
});

test("an abort between two statements stops the next and rolls back", async () => {
  const controller = new AbortController();

  const running = withTransaction(
    pool,
    async (tx) => {
      await tx.query("update accounts set balance = 3 where id = 'ann'");
      controller.abort(new Error("stop"));
      await tx.query("update accounts set balance = 4 where id = 'bob'");
    },
    { signal: controller.signal },
  );

  await expect(running).rejects.toThrow("stop");
  expect(await balances()).toEqual({ ann: "10", bob: "10" });
});

test("a signal that was aborted before does no work", async () => {
  const signal = AbortSignal.abort(new Error("late"));
  let ran = false;

  const running = withTransaction(
    pool,
    async () => {
      ran = true;
    },
    { signal },
  );

  await expect(running).rejects.toThrow("late");
  expect(ran).toBe(false);
});

test("a connection whose rollback fails is destroyed, and the first error is thrown", async () => {
  const narrow = createPool(database.url, { schema: "bank", max: 1 });
  const pids: number[] = [];

  const running = withTransaction(narrow, async (tx) => {
    const { rows } = await tx.query("select pg_backend_pid() as pid");
    pids.push(rows[0].pid);
    await pool.query("select pg_terminate_backend($1)", pids);
    const gone = "select from pg_stat_activity where pid = $1";
    await expect.poll(async () => (await pool.query(gone, pids)).rowCount).toBe(0);
    throw new Error("first");
  });

  await expect(running).rejects.toThrow("first");
  const { rows } = await narrow.query("select pg_backend_pid() as pid");
  expect(rows[0].pid).not.toBe(pids[0]);
  await narrow.end();
});

test("options in the URL are heeded beside the search path", async () => {
  const options = encodeURIComponent("-c statement_timeout=1234ms");
  const configured = createPool(`${database.url}?options=${options}`, { schema: "bank", max: 1 });

  const { rows } = await configured.query(
    `select current_setting('search_path') as path, current_setting('statement_timeout') as limit`,
  );

  expect(rows).toEqual([{ path: "bank", limit: "1234ms" }]);
  await configured.end();
});

test.skipIf(process.platform !== "linux")(
  "a connection whose other end is gone without a word is noticed within a minute",
  async () => {
    const client = await pool.connect();
    const { rows } = await client.query("select inet_client_port() as port");
    const inHex = rows[0].port.toString(16).padStart(4, "0").toUpperCase();

    const table = await readFile("/proc/net/tcp", "utf8");
    client.release();

    // Of the socket: its addresses, state, queues, and the timer that runs: 2 is that of keepalive.
    const socket = new RegExp(`: [0-9A-F]+:${inHex} \\S+ \\S+ \\S+ (\\d+):([0-9A-F]+)`).exec(table);
    expect(socket?.[1]).toBe("02");
    expect(Number.parseInt(socket?.[2] ?? "", 16) / 100).toBeLessThan(60);
  },
);

test("a schema that is no plain identifier is refused", () => {
  expect(() => createPool(database.url, { schema: "a; drop table x" })).toThrow(TypeError);
});
