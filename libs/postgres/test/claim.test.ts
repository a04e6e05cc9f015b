import { describe, expect, test } from "vitest";
import { admitArrivals, claimRuns } from "../src/claim.ts";
import { enqueue, type Tx, withTransaction } from "../src/index.ts";
import { aMessage, useOutbox } from "./support/outbox.ts";

const outbox = useOutbox();

const MANY = 20_000;

async function backlog(keyOf: (nth: number) => string): Promise<void> {
  const messages = Array.from({ length: MANY }, (_, nth) => aMessage(`m${nth}`, keyOf(nth)));
  await enqueue(outbox.pool, messages, outbox.now);
  while ((await admitArrivals(outbox.pool, { limit: 5_000, now: outbox.now })) >= 5_000);
}

/** Claims 16 lanes and counts the rows that the server read for it. */
async function claimAndCount() {
  return withTransaction(outbox.pool, async (tx) => {
    const token = "0198f0c0-0000-7000-8000-000000000000";
    const claim = { token, keys: 16, length: 50, leaseMs: 10_000, farMs: 120_000 };
    // The counters may still hold what the connection did before.
    const before = await rowsRead(tx);
    const runs = await claimRuns(tx, { ...claim, now: outbox.now });
    return { lanes: runs.length, read: (await rowsRead(tx)) - before };
  });
}

async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await tx.query<{ read: number }>(
    `select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as read
     from pg_stat_xact_user_tables
     where relname like 'outbox%'`,
  );
  return rows[0]?.read ?? 0;
}

describe(`with ${MANY} messages waiting, a look reads no more than it claims`, () => {
  test.each([
    { where: "under one key", keyOf: () => "k", lanes: 1 },
    { where: "under a key each", keyOf: (nth: number) => `k${nth}`, lanes: 16 },
    { where: "under some keys", keyOf: (nth: number) => `k${nth % 300}`, lanes: 16 },
  ])("$where", async ({ keyOf, lanes }) => {
    // What is known about the tables is from when they were empty.
    await outbox.pool.query("vacuum analyze outbox, outbox_lanes, outbox_arrivals");
    await backlog(keyOf);

    const claimed = await claimAndCount();

    expect(claimed.lanes).toBe(lanes);
    expect(claimed.read).toBeLessThan(16 * 50 * 3);
  });

  test("behind heads that are in back-off", async () => {
    await backlog((nth) => `k${nth % 4_000}`);
    const soon = new Date(outbox.now.getTime() + 60_000);
    await outbox.pool.query("update outbox_lanes set due_at = $1", [soon]);
    await outbox.pool.query("vacuum outbox_lanes");

    const claimed = await claimAndCount();

    expect(claimed).toEqual({ lanes: 0, read: 0 });
  });
});

test("a look notices the oldest transactions whose keys reach its limit, and leaves the rest to the next", async () => {
  for (const keys of [["a", "b"], ["b", "c"], ["d"]]) {
    const messages = keys.map((key, nth) => aMessage(`${keys.join()}-${nth}`, key));
    await enqueue(outbox.pool, messages, outbox.now);
  }
  const look = () => admitArrivals(outbox.pool, { limit: 3, now: outbox.now });
  const lanes = async () => {
    const { rows } = await outbox.pool.query("select key, tail from outbox_lanes order by key");
    return rows.map(({ key, tail }) => `${key}${tail}`).join(" ");
  };

  expect(await look()).toBe(4);
  expect(await lanes()).toBe("a0 b0 c0");
  expect(await look()).toBe(1);
  expect(await lanes()).toBe("a0 b0 c0 d0");
  expect(await look()).toBe(0);
});

test("an arrival of before, which bears one key, is noticed", async () => {
  await enqueue(outbox.pool, [aMessage("m", "k")], outbox.now);
  await outbox.pool.query("update outbox_arrivals set key = keys[1], keys = null");

  expect(await admitArrivals(outbox.pool, { limit: 10, now: outbox.now })).toBe(1);
  expect(await outbox.busyKeys()).toEqual(["k"]);
});
