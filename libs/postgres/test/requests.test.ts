import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  forgetRequests,
  keepTidy,
  once,
  type Pool,
  recall,
  remember,
  repeatedAnswer,
  requestKey,
  type Tx,
  withTransaction,
} from "../src/index.ts";
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

test("a request that is forgotten while it is looked up is a new one", async () => {
  await pay("first");

  const answer = await withTransaction(pool, (tx) => {
    const query = async (text: string, values?: unknown[]) => {
      const result = await tx.query(text, values);
      if (result.command === "INSERT" && result.rowCount === 0) {
        await pool.query("delete from requests");
      }
      return result;
    };
    const watched = { query: query as unknown as Tx["query"] };
    return once(watched, aRequest({}), async () => bytes("second"));
  });

  expect(answer).toEqual(bytes("second"));
});

test("old requests are forgotten in batches, recent ones kept", async () => {
  for (const id of ["a", "b", "c", "d", "e"]) await pay(id, { id });
  await pool.query("update requests set created_at = '2026-01-01' where id <> 'e'");

  const forgotten = await forgetRequests(pool, new Date("2026-02-01"), { batch: 2 });

  expect(forgotten).toBe(4);
  expect((await pool.query("select id from requests")).rows).toEqual([{ id: "e" }]);
});

test("forgetting reads no more than it forgets, however many are remembered", async () => {
  await pool.query(
    `insert into requests (principal, id, method, fingerprint, answer, created_at)
     select 'agent:ann', 'r' || n, 'Pay', '', '', timestamptz '2026-01-01' + n * interval '1 hour'
     from generate_series(1, 5000) n`,
  );
  await pool.query("analyze requests");
  const plan: string[] = [];
  const query = async (text: string, values: unknown[]) => {
    const { rows } = await pool.query(`explain ${text}`, values);
    plan.push(...rows.map((row) => row["QUERY PLAN"]));
    return { rowCount: 0 };
  };

  await forgetRequests({ query } as unknown as Pool, new Date("2026-01-05"), { batch: 2_000 });

  expect(plan.join("\n")).toContain("Tid Scan");
  expect(plan.join("\n")).not.toContain("Seq Scan");
});

describe("keepTidy", () => {
  const day = 86_400_000;
  const age = (id: string, days: number) =>
    pool.query("update requests set created_at = $2 where id = $1", [
      id,
      new Date(Date.now() - days * day),
    ]);
  const remembered = async () => {
    return (await pool.query("select id from requests order by id")).rows.map((row) => row.id);
  };

  test("forgets what is older than a week, from the start on and again and again", async () => {
    for (const id of ["a", "b", "c"]) await pay(id, { id });
    await age("a", 8);
    await age("b", 6);

    await using _tidying = keepTidy({ pool, everyMs: 20 });

    await expect.poll(remembered).toEqual(["b", "c"]);
    await age("b", 7.1);
    await expect.poll(remembered).toEqual(["c"]);
  });

  test("outlives a fault, reports it, and ends when it is disposed", async () => {
    const faults: unknown[] = [];
    await pool.query("alter table requests rename to hidden");
    const tidying = keepTidy({ pool, everyMs: 20, onFault: (error) => faults.push(error) });
    await expect.poll(() => faults.length).toBeGreaterThan(1);
    await pool.query("alter table hidden rename to requests");
    await pay("first");
    await age("r1", 8);

    await expect.poll(remembered).toEqual([]);
    await tidying[Symbol.asyncDispose]();
    await pay("second");
    await age("r1", 8);
    expect(await remembered()).toEqual(["r1"]);
  });
});

describe("many requests at once", () => {
  test("are remembered for those who ask one by one, and recalled by them", async () => {
    const [one, other] = [aRequest({ id: "r1" }), aRequest({ id: "r2", principal: "agent:bob" })];
    await remember(pool, [
      { request: one, answer: bytes("first") },
      { request: other, answer: bytes("") },
    ]);

    const known = await recall(pool, [one, other, aRequest({ id: "r3" }), aRequest({ id: "r2" })]);

    expect([...known.keys()].sort()).toEqual([one, other].map(requestKey).sort());
    expect(await pay("second")).toEqual(bytes("first"));
    const [first] = [known.get(requestKey(one))];
    expect(first && repeatedAnswer(one, first)).toEqual(bytes("first"));
    const reused = aRequest({ id: "r1", content: "6 to bob" });
    expect(() => first && repeatedAnswer(reused, first)).toThrow("was used before");
  });

  test("are not remembered when one of them was answered meanwhile", async () => {
    await pay("first");
    const answered = ["r0", "r1"].map((id) => ({ request: aRequest({ id }), answer: bytes(id) }));

    const late = remember(pool, answered);

    await expect(late).rejects.toMatchObject({ constraint: "requests_pkey" });
    expect((await recall(pool, [aRequest({ id: "r0" })])).size).toBe(0);
  });
});

async function waitingForLock(): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rowCount ?? 0;
}
