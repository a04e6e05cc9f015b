import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createDoorbell } from "../src/doorbell.ts";
import { createFeed, type Feed, touchFeed } from "../src/feed.ts";
import { type Pool, withTransaction } from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";
import { createThings, followed, PUT } from "./support/things.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  const directory = new URL("./migrations/", import.meta.url);
  database = await testDatabase({ schema: "bank", directory });
  pool = database.pool;
  await createThings(pool);
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(() => pool.query("truncate things"));

function aFeed({ channel = "things" } = {}): Feed {
  return createFeed({ pool, channel, pollMs: 3_600_000 });
}

test("all who ring in one turn of the loop ring once", async () => {
  await using bell = createDoorbell({ pool, channel: "once" });
  // It rings by itself when it begins to listen.
  await bell.rung(0, 60_000, bell.closed);
  const turn = bell.turn();

  const ringing = [1, 2, 3].map(async (hops) => {
    for (let hop = 0; hop < hops; hop++) await Promise.resolve();
    bell.ring();
  });
  await Promise.all([...ringing, bell.rung(turn, 60_000, bell.closed)]);

  expect(bell.turn()).toBe(turn + 1);
});

describe("a follower that hardly ever polls", () => {
  test("wakes by a touch of its own feed", async () => {
    await using feed = aFeed();
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));

    await pool.query(PUT, ["a", 1]);
    feed.touch();

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }));
  });

  test("wakes by a touch in another process, and by a transaction that touches", async () => {
    await using feed = aFeed({ channel: "far" });
    await using other = aFeed({ channel: "far" });
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
    await using feed = aFeed({ channel: "cut" });
    await using reader = followed(feed);
    await vi.waitFor(() => expect(reader.kinds()).toContain("synced"));
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where query = 'listen cut' and datname = current_database()`,
    );
    await pool.query(PUT, ["a", 1]);

    await vi.waitFor(() => expect(reader.last()).toEqual({ a: 1 }));
  });
});
