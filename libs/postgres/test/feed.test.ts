import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createFeed, type Feed, type FeedEvent, type FeedRange, touchFeed } from "../src/feed.ts";
import { type Pool, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  const directory = new URL("./migrations/", import.meta.url);
  database = await testDatabase({ schema: "bank", directory, max: 30 });
  pool = database.pool;
  await pool.query(
    `create table things (
       id text primary key,
       value integer not null,
       changed_in xid8 not null default pg_current_xact_id()
     )`,
  );
  await pool.query("create index on things (changed_in, id)");
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(() => pool.query("truncate things"));

interface Thing {
  readonly id: string;
  readonly value: number;
}

async function readThings(from: Pool, range: FeedRange) {
  const { rows } = await from.query<Thing & { changed_in: string }>(
    `select id, value, changed_in
     from things
     where changed_in >= $1::xid8 and changed_in < $2::xid8
       and (changed_in, id) > ($3::xid8, $4)
     order by changed_in, id
     limit $5`,
    [range.from, range.until, range.after?.changedIn ?? 0n, range.after?.id ?? "", range.limit],
  );
  return rows.map(({ id, value, changed_in }) => {
    return { id, changedIn: BigInt(changed_in), value: { id, value } };
  });
}

const PUT = `insert into things (id, value) values ($1, $2)
  on conflict (id) do update set value = excluded.value, changed_in = pg_current_xact_id()`;

function aFeed(options: { readonly pollMs?: number; readonly channel?: string } = {}): Feed {
  return createFeed({ pool, channel: options.channel ?? "things", pollMs: options.pollMs ?? 20 });
}

/** Follows in the background and keeps what came. */
function followed(feed: Feed, token = "", idleMs = 60_000) {
  const stopping = new AbortController();
  const events: FeedEvent<Thing>[] = [];
  const over = (async () => {
    const { signal } = stopping;
    for await (const event of feed.follow({ token, signal, idleMs, read: readThings })) {
      events.push(event);
    }
  })();
  return {
    events,
    over,
    kinds: () => events.map((event) => event.kind),
    last: () => lastOf(events),
    token: () => events.at(-1)?.token ?? "",
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await over;
    },
  };
}

function lastOf(events: readonly FeedEvent<Thing>[]): Record<string, number> {
  const items = events.flatMap((event) => (event.kind === "item" ? [event.value] : []));
  return Object.fromEntries(items.map((thing) => [thing.id, thing.value]));
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

  test("with a token gets only what has changed since", async () => {
    await using feed = aFeed();
    await pool.query(PUT, ["a", 1]);
    await using first = followed(feed);
    await vi.waitFor(() => expect(first.kinds()).toContain("synced"));
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
    expect(second.last()).toEqual({ b: 1 });
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

    await vi.waitFor(() => expect(reader.kinds()).toEqual(["synced", "idle", "idle"]));
    expect(reader.token()).toMatch(/^[0-9a-zA-Z-]+\.\d+$/);
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
    await using feed = aFeed({ pollMs: 60_000 });
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

  test("ends when the feed is disposed", async () => {
    const feed = aFeed({ pollMs: 60_000 });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await feed[Symbol.asyncDispose]();

    await expect(reader.over).resolves.toBeUndefined();
  });
});

describe("a follower that hardly ever polls", () => {
  test("wakes by a touch of its own feed", async () => {
    await using feed = aFeed({ pollMs: 60_000 });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await pool.query(PUT, ["a", 1]);
    feed.touch();

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }));
  });

  test("wakes by a touch in another process, and by a transaction that touches", async () => {
    await using feed = aFeed({ pollMs: 60_000, channel: "far" });
    await using other = aFeed({ pollMs: 60_000, channel: "far" });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await pool.query(PUT, ["a", 1]);
    other.touch();
    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }));
    await withTransaction(pool, async (tx) => {
      await tx.query(PUT, ["a", 2]);
      await touchFeed(tx, "far");
    });

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 2 }));
  });

  test("wakes again after the listening connection was cut", async () => {
    await using feed = aFeed({ pollMs: 60_000, channel: "cut" });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where query = 'listen cut' and datname = current_database()`,
    );
    await pool.query(PUT, ["a", 1]);

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }), { timeout: 3_000 });
  });
});
