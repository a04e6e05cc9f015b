import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createPool, isOutage, withTransaction } from "../src/index.ts";
import { silentLine, type TestDatabase, testDatabase } from "../src/testing.ts";

/** Long enough for a busy machine, on which each test waits for it once or twice. */
const ANSWER_MS = 1_500;

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  });
  await database.pool.query("insert into accounts values ('ann', 10)");
});
afterAll(() => database[Symbol.asyncDispose]());

/** A pool over a line that can fall silent, with one connection that it has used before. */
async function overALine(options: { readonly answerMs?: number; readonly pipeline?: boolean }) {
  const line = await silentLine(database.url);
  const pool = createPool(line.url, { schema: "bank", max: 1, ...options });
  const identify = async () =>
    (await pool.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid;
  return {
    line,
    pool,
    identify,
    first: await identify(),
    [Symbol.asyncDispose]: async () => {
      await line[Symbol.asyncDispose]();
      await pool.end();
    },
  };
}

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each([
  ["one after the other", false],
  ["together", true],
])(
  "on a connection that falls silent, with statements sent %s,",
  { concurrent: true },
  (_how, pipeline) => {
    test("a statement fails as an outage in time, and the next goes over another", async () => {
      await using far = await overALine({ answerMs: ANSWER_MS, pipeline });
      far.line.mute();

      const error = await errorOf(far.pool.query("select 1"));

      expect(isOutage(error)).toBe(true);
      expect(await far.identify()).not.toBe(far.first);
    });

    test("a transaction fails as an outage once, without a wait for its rollback", async () => {
      await using far = await overALine({ answerMs: ANSWER_MS, pipeline });
      const begun = performance.now();

      const error = await errorOf(
        withTransaction(far.pool, async (tx) => {
          await tx.query("select from accounts");
          far.line.mute();
          await tx.query("select 1");
        }),
      );

      expect(isOutage(error)).toBe(true);
      expect(performance.now() - begun).toBeLessThan(2 * ANSWER_MS);
      expect(await far.identify()).not.toBe(far.first);
    });

    test.each([
      ["the server cannot be told", true],
      ["what the server says of it is not heard", false],
    ])("an aborted transaction ends with the reason also when %s", async (_case, isClosed) => {
      await using far = await overALine({ pipeline });
      const stopping = new AbortController();

      const error = await errorOf(
        withTransaction(
          far.pool,
          async (tx) => {
            far.line.mute();
            if (isClosed) far.line.close();
            setImmediate(() => stopping.abort(new Error("enough")));
            await tx.query("select 1");
          },
          { signal: stopping.signal },
        ),
      );

      expect(error).toMatchObject({ message: "enough" });
    });
  },
);

test("what a statement without an answer waits for is given up by the server", async () => {
  await using far = await overALine({ answerMs: ANSWER_MS });
  await withTransaction(database.pool, async (tx) => {
    await tx.query("select from accounts where id = 'ann' for update");

    await errorOf(far.pool.query("update accounts set balance = 7 where id = 'ann'"));

    const waiting = async () =>
      (await database.pool.query("select from pg_stat_activity where pid = $1", [far.first]))
        .rowCount;
    await vi.waitFor(async () => expect(await waiting()).toBe(0), 20_000);
  });
  const { rows } = await database.pool.query("select balance from accounts where id = 'ann'");
  expect(rows).toEqual([{ balance: "10" }]);
});
