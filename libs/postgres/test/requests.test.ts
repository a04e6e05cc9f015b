import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { forgetRequests, once, type Pool, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;
let pool: Pool;
let done: string[];

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
    max: 5,
  });
  pool = database.pool;
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await pool.query("truncate requests");
  done = [];
});

const bytes = (text: string) => new TextEncoder().encode(text);

function aRequest(overrides: {
  principal?: string;
  id?: string;
  method?: string;
  content?: string;
}) {
  const { principal = "agent:ann", id = "r1", method = "Pay", content = "5 to bob" } = overrides;
  return { principal, id, method, fingerprint: bytes(content) };
}

function pay(answer: string, overrides: Parameters<typeof aRequest>[0] = {}): Promise<Uint8Array> {
  return withTransaction(pool, (tx) =>
    once(tx, aRequest(overrides), async () => {
      done.push(answer);
      return bytes(answer);
    }),
  );
}

test("a repetition gets the first answer and does nothing", async () => {
  const first = await pay("first");
  const second = await pay("second");

  expect(second).toEqual(first);
  expect(done).toEqual(["first"]);
});

test("an empty answer is remembered too", async () => {
  await pay("");

  expect(await pay("second")).toEqual(bytes(""));
});

test.each([
  ["other content", { content: "6 to bob" }],
  ["another method", { method: "Refund" }],
])("an id used again with %s is refused with REQUEST_ID_REUSED", async (_, other) => {
  await pay("first");

  await expect(pay("second", other)).rejects.toMatchObject({
    reason: "REQUEST_ID_REUSED",
    metadata: { request_id: "r1", first_method: "Pay" },
  });
  expect(done).toEqual(["first"]);
});

test("the same id of another principal is another request", async () => {
  await pay("first");
  await pay("second", { principal: "agent:bob" });

  expect(done).toEqual(["first", "second"]);
});

test("a request without an id is never remembered", async () => {
  await pay("first", { id: "" });
  await pay("second", { id: "" });

  expect(done).toEqual(["first", "second"]);
  expect((await pool.query("select from requests")).rowCount).toBe(0);
});

test("of concurrent callers one does the work and all get its answer", async () => {
  const answers = await Promise.all(["a", "b", "c", "d", "e"].map((answer) => pay(answer)));

  expect(done).toHaveLength(1);
  expect(new Set(answers.map((answer) => new TextDecoder().decode(answer)))).toEqual(new Set(done));
});

test("a caller that waited for one that failed does the work itself", async () => {
  const { promise: mayFail, resolve: fail } = Promise.withResolvers<void>();
  const { promise: holding, resolve: holds } = Promise.withResolvers<void>();
  const failing = withTransaction(pool, (tx) =>
    once(tx, aRequest({}), async () => {
      holds();
      await mayFail;
      throw new Error("no funds");
    }),
  );
  failing.catch(() => {});
  await holding;
  const waiting = pay("second");
  await expect.poll(() => waitingForLock()).toBe(1);

  fail();

  await expect(failing).rejects.toThrow("no funds");
  expect(await waiting).toEqual(bytes("second"));
});

test("old requests are forgotten in batches, recent ones kept", async () => {
  for (const id of ["a", "b", "c", "d", "e"]) await pay(id, { id });
  await pool.query("update requests set created_at = '2026-01-01' where id <> 'e'");

  const forgotten = await forgetRequests(pool, new Date("2026-02-01"), { batch: 2 });

  expect(forgotten).toBe(4);
  expect((await pool.query("select id from requests")).rows).toEqual([{ id: "e" }]);
});

async function waitingForLock(): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}
