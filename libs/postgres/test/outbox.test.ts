import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  discardParked,
  enqueue,
  listParked,
  type OutboxMessage,
  type Pool,
  type Relay,
  type RelayOptions,
  startRelay,
  unpark,
  withTransaction,
} from "../src/index.ts";
import { type TestDatabase, testDatabase } from "../src/testing.ts";

const NOON = new Date("2026-11-20T12:00:00Z");

let database: TestDatabase;
let pool: Pool;
let now: Date;
let told: string[];
let relays: Relay[];

beforeAll(async () => {
  database = await testDatabase({
    schema: "bank",
    directory: new URL("./migrations/", import.meta.url),
  });
  pool = database.pool;
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await pool.query("truncate outbox");
  now = NOON;
  told = [];
  relays = [];
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
});

function aMessage(id: string, key = id): OutboxMessage {
  return { id, kind: "paid", key, payload: { id, amount: "12" } };
}

function later(ms: number): void {
  now = new Date(now.getTime() + ms);
}

function relay(overrides: Partial<RelayOptions> = {}): Relay {
  const started = startRelay({
    pool,
    deliver: async (message) => {
      told.push(message.id);
    },
    now: () => now,
    random: () => 0,
    pollMs: 20,
    ...overrides,
  });
  relays.push(started);
  return started;
}

async function waiting(): Promise<string[]> {
  const { rows } = await pool.query("select id from outbox order by position");
  return rows.map((row) => row.id);
}

describe("enqueue", () => {
  test("a message exists exactly when its transaction committed", async () => {
    await withTransaction(pool, (tx) => enqueue(tx, [aMessage("a")], now));
    const failing = withTransaction(pool, async (tx) => {
      await enqueue(tx, [aMessage("b")], now);
      throw new Error("no");
    });

    await expect(failing).rejects.toThrow("no");
    expect(await waiting()).toEqual(["a"]);
  });

  test("an id that waits already is enqueued once", async () => {
    await enqueue(pool, [aMessage("a"), aMessage("b")], now);
    await enqueue(pool, [aMessage("b"), aMessage("c")], now);

    expect(await waiting()).toEqual(["a", "b", "c"]);
  });

  test("nothing to enqueue is no statement", async () => {
    await enqueue(pool, [], now);

    expect(await waiting()).toEqual([]);
  });
});

describe("delivery", () => {
  test("a message arrives as it was enqueued and is then gone", async () => {
    const arrived: OutboxMessage[] = [];
    await enqueue(pool, [aMessage("a")], now);

    relay({
      deliver: async (message) => {
        arrived.push(message);
      },
    });

    await expect.poll(waiting).toEqual([]);
    expect(arrived).toEqual([aMessage("a")]);
  });

  test("a poke delivers without waiting for the poll", async () => {
    const relaying = relay({ pollMs: 3_600_000 });
    await vi.waitFor(async () => {
      // Pokes until the relay has gone to sleep at least once with nothing to do.
      relaying.poke();
      expect((await relaying.depth()).pending).toBe(0);
    });
    await enqueue(pool, [aMessage("a")], now);

    relaying.poke();

    await expect.poll(waiting).toEqual([]);
    expect(told).toEqual(["a"]);
  });

  test("messages of a key keep their order, however many relays run", async () => {
    const messages = Array.from({ length: 300 }, (_, n) => aMessage(`m${n}`, `k${n % 7}`));
    await enqueue(pool, messages, now);

    relay({ concurrency: 2 });
    relay({ concurrency: 2 });
    relay({ concurrency: 2 });

    await expect.poll(waiting, { timeout: 5_000 }).toEqual([]);
    const byKey = (ids: string[]) => Map.groupBy(ids, (id) => Number(id.slice(1)) % 7);
    expect(told).toHaveLength(300);
    expect(byKey(told)).toEqual(byKey(messages.map((message) => message.id)));
  });

  test("a slow key does not hold the others up", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    await enqueue(pool, [aMessage("slow"), aMessage("a"), aMessage("b")], now);

    relay({
      concurrency: 2,
      deliver: async ({ id }) => {
        if (id === "slow") await held;
        told.push(id);
      },
    });

    await expect.poll(waiting).toEqual(["slow"]);
    expect(told.toSorted()).toEqual(["a", "b"]);
    resolve();
    await expect.poll(waiting).toEqual([]);
  });

  test("no more keys are delivered at once than concurrency says", async () => {
    let running = 0;
    let most = 0;
    await enqueue(
      pool,
      Array.from({ length: 20 }, (_, n) => aMessage(`m${n}`)),
      now,
    );

    relay({
      concurrency: 3,
      deliver: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
      },
    });

    await expect.poll(waiting).toEqual([]);
    expect(most).toBe(3);
  });

  test("no transaction is open while a message is delivered", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    const { promise: delivering, resolve: begins } = Promise.withResolvers<void>();
    await enqueue(pool, [aMessage("a")], now);
    relay({
      deliver: async () => {
        begins();
        await held;
      },
    });
    await delivering;

    const { rowCount } = await pool.query(
      `select from pg_stat_activity
       where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
         and state <> 'active'`,
    );

    expect(rowCount).toBe(0);
    resolve();
    await expect.poll(waiting).toEqual([]);
  });
});

describe("failure", () => {
  test("a failed message waits for its back-off, and its successors wait with it", async () => {
    const errors: string[] = [];
    let down = true;
    await enqueue(pool, [aMessage("a", "k"), aMessage("b", "k"), aMessage("c")], now);
    relay({
      deliver: async ({ id }) => {
        if (down && id === "a") throw new Error("peer away");
        told.push(id);
      },
      onError: ({ id }, error) => errors.push(`${id}: ${(error as Error).message}`),
    });
    await expect.poll(waiting).toEqual(["a", "b"]);
    await expect.poll(() => errors).toEqual(["a: peer away"]);
    expect(told).toEqual(["c"]);

    down = false;
    later(124);
    expect(await waitingAfterAnotherLook()).toEqual(["a", "b"]);
    later(2);

    await expect.poll(waiting).toEqual([]);
    expect(told).toEqual(["c", "a", "b"]);
  });

  test("the back-off doubles with every failure", async () => {
    let attempts = 0;
    await enqueue(pool, [aMessage("a")], now);
    const relaying = relay({
      pollMs: 3_600_000,
      deliver: async () => {
        attempts++;
        throw new Error("away");
      },
    });

    const pauses: number[] = [];
    for (let failures = 1; failures <= 5; failures++) {
      await expect.poll(released).toEqual({ attempts: failures });
      const { rows } = await pool.query("select next_attempt_at from outbox");
      pauses.push(rows[0].next_attempt_at.getTime() - now.getTime());
      now = rows[0].next_attempt_at;
      relaying.poke();
    }

    expect(pauses).toEqual([125, 250, 500, 1_000, 2_000]);
    expect(attempts).toBeGreaterThanOrEqual(5);
  });

  test("a delivery that takes too long has failed, even when it does not heed the signal", async () => {
    const errors: unknown[] = [];
    await enqueue(pool, [aMessage("a")], now);

    relay({
      timeoutMs: 20,
      deliver: () => new Promise(() => {}),
      onError: (_, error) => errors.push((error as Error).message),
    });

    await expect.poll(() => errors).toEqual(["no answer in 20 ms"]);
  });

  test("a claim that a dead process left runs out", async () => {
    await enqueue(pool, [aMessage("a", "k"), aMessage("b", "k")], now);
    await pool.query(
      "update outbox set claim = gen_random_uuid(), claimed_until = $1 where key = 'k'",
      [new Date(now.getTime() + 40_000)],
    );
    relay();
    expect(await waitingAfterAnotherLook()).toEqual(["a", "b"]);

    later(40_000);

    await expect.poll(waiting).toEqual([]);
    expect(told).toEqual(["a", "b"]);
  });

  test("a relay outlives a database fault and reports it", async () => {
    const faults: unknown[] = [];
    await pool.query("alter table outbox rename to hidden");
    relay({ onFault: (error) => faults.push(error) });
    await expect.poll(() => faults.length).toBeGreaterThan(0);

    await pool.query("alter table hidden rename to outbox");
    await enqueue(pool, [aMessage("a")], now);

    await expect.poll(waiting, { timeout: 5_000 }).toEqual([]);
  });
});

describe("parking", () => {
  const refuse = {
    deliver: async ({ id }: OutboxMessage) => {
      if (id === "bad") throw new Error("never");
      told.push(id);
    },
    permanent: (error: unknown) => (error as Error).message === "never",
  };

  beforeEach(async () => {
    await enqueue(pool, [aMessage("bad", "k"), aMessage("next", "k"), aMessage("other")], now);
  });

  test("a message refused for good is kept with its error; its successors wait, others go", async () => {
    const relaying = relay(refuse);

    await expect.poll(waiting).toEqual(["bad", "next"]);
    await expect
      .poll(() => relaying.depth())
      .toEqual({ pending: 1, parked: 1, oldestAgeSeconds: 0 });
    later(3_600_000);
    expect(await relaying.depth()).toEqual({ pending: 1, parked: 1, oldestAgeSeconds: 3_600 });
    expect(await listParked(pool)).toEqual([
      { ...aMessage("bad", "k"), attempts: 1, error: "never", parkedAt: NOON },
    ]);
    expect(told).toEqual(["other"]);
  });

  test("an unparked message is delivered, then its successors", async () => {
    const refusing = relay(refuse);
    await expect.poll(async () => (await listParked(pool)).length).toBe(1);
    await refusing[Symbol.asyncDispose]();
    relay();

    expect(await unpark(pool, "bad")).toBe(true);

    await expect.poll(waiting).toEqual([]);
    expect(told).toEqual(["other", "bad", "next"]);
    expect(await unpark(pool, "bad")).toBe(false);
  });

  test("a discarded message frees its successors", async () => {
    relay(refuse);
    await expect.poll(async () => (await listParked(pool)).length).toBe(1);

    expect(await discardParked(pool, "next")).toBe(false);
    expect(await discardParked(pool, "bad")).toBe(true);

    await expect.poll(waiting).toEqual([]);
    expect(told).toEqual(["other", "next"]);
  });
});

describe("dispose", () => {
  test("deliveries under way are finished, and the rest is given back at once", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    const { promise: delivering, resolve: begins } = Promise.withResolvers<void>();
    await enqueue(pool, [aMessage("a", "k"), aMessage("b", "k")], now);
    const relaying = relay({
      deliver: async ({ id }) => {
        begins();
        await held;
        told.push(id);
      },
    });
    await delivering;

    const disposing = relaying[Symbol.asyncDispose]();
    resolve();
    await disposing;

    expect(told).toEqual(["a"]);
    expect(await claims()).toEqual([{ id: "b", claim: null, attempts: 0 }]);
  });

  test("deliveries that outlast the limit are aborted and given back untried", async () => {
    const { promise: delivering, resolve: begins } = Promise.withResolvers<AbortSignal>();
    await enqueue(pool, [aMessage("a")], now);
    const relaying = relay({
      drainMs: 10,
      deliver: (_, signal) => {
        begins(signal);
        return new Promise(() => {});
      },
    });
    const signal = await delivering;

    await relaying[Symbol.asyncDispose]();

    expect(signal.aborted).toBe(true);
    expect(await claims()).toEqual([{ id: "a", claim: null, attempts: 0 }]);
  });
});

async function claims(): Promise<unknown[]> {
  return (await pool.query("select id, claim, attempts from outbox order by position")).rows;
}

async function released(): Promise<unknown> {
  return (await pool.query("select attempts from outbox where claim is null")).rows[0];
}

/** What waits once the relay has looked at everything again: it has delivered a message enqueued now. */
async function waitingAfterAnotherLook(): Promise<string[]> {
  await enqueue(pool, [aMessage("probe")], now);
  await expect.poll(waiting).not.toContain("probe");
  told = told.filter((id) => id !== "probe");
  return waiting();
}
