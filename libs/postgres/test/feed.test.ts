import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createFeed, type Feed, type FeedEvent } from "../src/feed.ts";
import { type Pool, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";
import { createThings, followed, lastOf, PUT, readThings, type Thing } from "./support/things.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  const directory = new URL("./migrations/", import.meta.url);
  database = await testDatabase({ schema: "bank", directory, max: 30 });
  pool = database.pool;
  await createThings(pool);
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(() => pool.query("truncate things"));

function aFeed(options: { readonly pollMs?: number; readonly channel?: string } = {}): Feed {
  return createFeed({ pool, channel: options.channel ?? "things", pollMs: options.pollMs ?? 20 });
}

/** Waits until the reader's token lies behind what changed the thing: nobody on the server is older by then. */
async function passed(reader: { token(): string }, id: string): Promise<void> {
  const { rows } = await pool.query("select changed_in from things where id = $1", [id]);
  const changedIn = BigInt(rows[0].changed_in);
  await vi.waitFor(() =>
    expect(BigInt(reader.token().split(".")[1] ?? "")).toBeGreaterThan(changedIn),
  );
}

describe("a follower", () => {
  test("gets every row, then synced, then each change with a token", async () => {
    await using feed = aFeed();
    await pool.query(PUT, ["a", 1]);
    await pool.query(PUT, ["b", 1]);

    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toEqual(["item", "item", "synced"]));
    await pool.query(PUT, ["b", 2]);

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1, b: 2 }));
    expect(reader.events[0]).toEqual({ kind: "item", value: { id: "a", value: 1 }, token: "" });
    expect(reader.events[3]?.token).not.toBe("");
  });

  test("reads a snapshot of many pages whole", async () => {
    await using feed = aFeed();
    await pool.query(
      `insert into things (id, value) select 'thing-' || n, n from generate_series(1, 1700) n`,
    );

    await using reader = followed(feed);

    await vi.waitFor(() => expect(reader.kinds().at(-1)).toBe("synced"));
    expect(Object.keys(reader.last())).toHaveLength(1700);
    expect(reader.events).toHaveLength(1701);
  });

  test("that leaves before its first rows are read hears nothing, not even that it is synced", async () => {
    await using feed = aFeed();
    const [unhandled, leaving] = [vi.fn(), new AbortController()];
    process.on("unhandledRejection", unhandled);
    const read = () => {
      leaving.abort();
      return Promise.reject(new Error("the pool has ended"));
    };
    const options = { token: "", signal: leaving.signal, idleMs: 1_000, read };

    const events: unknown[] = [];
    for await (const event of feed.follow(options)) events.push(event);
    await new Promise(setImmediate);

    expect(events).toEqual([]);
    expect(unhandled).not.toHaveBeenCalled();
    process.off("unhandledRejection", unhandled);
  });

  test("with a token gets only what has changed since", async () => {
    await using feed = aFeed();
    await pool.query(PUT, ["a", 1]);
    await using first = followed(feed, "", 20);
    await vi.waitFor(() => expect(first.kinds()).toContain("synced"));
    await passed(first, "a");
    await first[Symbol.asyncDispose]();
    await pool.query(PUT, ["b", 1]);

    await using second = followed(feed, first.token());

    await vi.waitFor(() => expect(second.kinds()).toContain("synced"));
    expect(second.last()).toEqual({ b: 1 });
  });

  test("with the token of an item gets what came after that item", async () => {
    await using feed = aFeed();
    await using first = followed(feed);
    await vi.waitFor(() => expect(first.kinds()).toContain("synced"));
    await pool.query(PUT, ["a", 1]);
    await vi.waitFor(() => expect(first.last()).toEqual({ a: 1 }));
    const token = first.events.find((event) => event.kind === "item")?.token ?? "";
    await pool.query(PUT, ["b", 1]);

    await using second = followed(feed, token);

    await vi.waitFor(() => expect(second.kinds()).toContain("synced"));
    // And "a" again, should a transaction anywhere on the server have been open.
    expect(second.last()).toMatchObject({ b: 1 });
  });

  test("misses nothing of a transaction that began earlier and commits later", async () => {
    await using feed = aFeed();
    const release = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = withTransaction(pool, async (tx) => {
      await tx.query(PUT, ["slow", 1]);
      begun.resolve();
      await release.promise;
    });
    await begun.promise;
    await pool.query(PUT, ["fast", 1]);
    await using first = followed(feed);
    await vi.waitFor(() => expect(first.kinds()).toContain("synced"));
    const token = first.token();
    release.resolve();
    await slow;

    await using second = followed(feed, token);

    await vi.waitFor(() => expect(first.last()).toEqual({ fast: 1, slow: 1 }));
    await vi.waitFor(() => expect(second.last()).toMatchObject({ slow: 1 }));
  });

  test("gets changes while an older transaction is open, and each only once", async () => {
    await using feed = aFeed();
    const release = Promise.withResolvers<void>();
    const slow = withTransaction(pool, async (tx) => {
      await tx.query(PUT, ["slow", 1]);
      await release.promise;
    });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await pool.query(PUT, ["a", 1]);
    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }));
    await pool.query(PUT, ["b", 1]);
    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1, b: 1 }));
    release.resolve();
    await slow;
    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1, b: 1, slow: 1 }));

    expect(reader.kinds().filter((kind) => kind === "item")).toHaveLength(3);
  });

  test("ends with the last state of every row, whatever overlaps", async () => {
    await using feed = aFeed();
    await using early = followed(feed);
    const write = async (writer: number) => {
      for (let value = 1; value <= 40; value++) {
        const ids = [`t${(writer * value) % 13}`, `t${(writer + value) % 17}`].sort();
        await withTransaction(pool, async (tx) => {
          await tx.query("select pg_current_xact_id()");
          for (const id of ids) await tx.query(PUT, [id, writer * 1_000 + value]);
        });
        feed.touch();
      }
    };
    const writing = Promise.all(Array.from({ length: 12 }, (_, writer) => write(writer)));
    await vi.waitFor(() => expect(early.kinds()).toContain("caught-up"));
    const token = early.events.find((event) => event.kind === "caught-up")?.token ?? "";
    const before = [...early.events];
    await writing;

    await using late = followed(feed, token);

    const { rows } = await pool.query<Thing>("select id, value from things");
    const truth = Object.fromEntries(rows.map((row) => [row.id, row.value]));
    await vi.waitFor(() => expect(early.last()).toEqual(truth));
    await vi.waitFor(() => expect({ ...lastOf(before), ...late.last() }).toEqual(truth));
  });

  test("is told of silence with a token", async () => {
    await using feed = aFeed();

    await using reader = followed(feed, "", 30);

    await vi.waitFor(() => expect(reader.kinds().slice(0, 3)).toEqual(["synced", "idle", "idle"]));
    expect(reader.token()).toMatch(/^[0-9a-zA-Z-]+\.\d+$/);
  });

  test("is told of silence at once when that is due and it is woken, and only then", async () => {
    await using feed = aFeed({ pollMs: 3_600_000 });
    let due = false;
    const options = { token: "", idleMs: 3_600_000, read: readThings, isDue: () => due };
    const stopping = new AbortController();
    const kinds: string[] = [];
    const over = (async () => {
      for await (const { kind } of feed.follow({ ...options, signal: stopping.signal })) {
        kinds.push(kind);
        due = false;
      }
    })();
    await vi.waitFor(() => expect(kinds).toEqual(["synced"]));

    feed.wake();
    due = true;
    feed.wake();

    await vi.waitFor(() => expect(kinds).toEqual(["synced", "idle"]));
    stopping.abort();
    await over;
  });

  test.each([
    { token: "nonsense", why: "not a token" },
    { token: "abc-1-5.12", why: "of another database" },
  ])("with a token that is $why is refused with INVALID_RESUME_TOKEN", async ({ token }) => {
    await using feed = aFeed();
    const read = feed.follow({
      token,
      signal: new AbortController().signal,
      idleMs: 1_000,
      read: readThings,
    });

    await expect(read.next()).rejects.toMatchObject({ reason: "INVALID_RESUME_TOKEN" });
  });

  test("with a token from the future is refused with INVALID_RESUME_TOKEN", async () => {
    await using feed = aFeed();
    await using first = followed(feed);
    await vi.waitFor(() => expect(first.kinds()).toContain("synced"));
    const token = first.token().replace(/\d+$/, "99999999999");

    const read = feed.follow({
      token,
      signal: new AbortController().signal,
      idleMs: 1_000,
      read: readThings,
    });

    await expect(read.next()).rejects.toMatchObject({ reason: "INVALID_RESUME_TOKEN" });
  });

  test("gets what changed elsewhere before synced, and whenever it is woken", async () => {
    await using feed = aFeed({ pollMs: 3_600_000 });
    const waiting: Thing[][] = [[{ id: "x", value: 1 }], [{ id: "y", value: 1 }]];
    const stopping = new AbortController();
    const events: FeedEvent<Thing>[] = [];
    const over = (async () => {
      const others = async () => waiting.shift() ?? [];
      const { signal } = stopping;
      for await (const event of feed.follow({
        token: "",
        signal,
        idleMs: 60_000,
        read: readThings,
        others,
      })) {
        events.push(event);
      }
    })();
    await vi.waitFor(() => expect(events.map((e) => e.kind)).toEqual(["item", "item", "synced"]));

    waiting.push([{ id: "x", value: 2 }]);
    feed.wake();

    await vi.waitFor(() => expect(lastOf(events)).toEqual({ x: 2, y: 1 }));
    stopping.abort();
    await over;
  });

  test("gets a row that never rests, however slow the others are", async () => {
    await using feed = aFeed();
    const writing = new AbortController();
    const written = (async () => {
      for (let value = 1; !writing.signal.aborted; value++) await pool.query(PUT, ["hot", value]);
    })();
    const others = async () => {
      await pool.query("select pg_sleep(0.03)");
      return [];
    };
    await using reader = followed(feed, "", 20, others);

    await vi
      .waitFor(() => expect(new Set(reader.values()).size).toBeGreaterThan(5))
      .finally(() => writing.abort());
    await written;
  });

  test("that is held back by an open transaction says by which", async () => {
    const faults: string[] = [];
    await using feed = createFeed({
      pool,
      channel: "things",
      pollMs: 20,
      heldBackMs: 100,
      onFault: (error) => faults.push((error as Error).message),
    });
    const client = await pool.connect();
    await client.query("begin");
    const { rows } = await client.query("select pg_backend_pid() as pid, pg_current_xact_id()");
    await using reader = followed(feed);

    await pool.query(PUT, ["a", 1]);
    const wanted = `pid ${rows[0].pid} (bank, idle in transaction)`;
    await vi
      .waitFor(() => expect(faults.join()).toContain(wanted))
      .finally(() => client.release(true));

    expect(reader.last()).toEqual({ a: 1 });
  });

  test("ends when the feed is disposed", async () => {
    const feed = aFeed({ pollMs: 3_600_000 });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await feed[Symbol.asyncDispose]();

    await expect(reader.over).resolves.toBeUndefined();
  });
});

test("a page is read from its place in the index on, however many rows lie before it", async () => {
  await database.pool.query(
    "insert into things (id, value) select 'deep-' || n, 0 from generate_series(1, 5000) n",
  );
  const { rows } = await database.pool.query<{ from: string }>(
    "select pg_snapshot_xmax(pg_current_snapshot()) as from",
  );
  const after = { changedIn: BigInt(rows[0]?.from ?? 0), id: "" };
  const explained: string[] = [];
  const pool = {
    query: async (text: string, values: unknown[]) => {
      const plan = await database.pool.query({
        text: `explain (analyze, buffers) ${text}`,
        values,
      });
      explained.push(plan.rows.map((row) => row["QUERY PLAN"]).join("\n"));
      return { rows: [] };
    },
  };
  const range = { from: after.changedIn, until: 2n ** 63n, after, limit: 500 };

  await readThings(pool as unknown as typeof database.pool, range);

  const [, buffers = "none"] = /Buffers: shared hit=(\d+)/.exec(explained[0] ?? "") ?? [];
  expect(Number(buffers)).toBeLessThan(10);
});
