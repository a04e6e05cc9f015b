import { describe, expect, test, vi } from "vitest";
import { enqueue, type OutboxMessage, withTransaction } from "../src/index.ts";
import { aMessage, NOON, useOutbox } from "./support/outbox.ts";

const outbox = useOutbox();

describe("delivery", () => {
  test("a message arrives as it was enqueued and is then gone", async () => {
    const arrived: OutboxMessage[] = [];
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);

    outbox.relay({
      deliver: async (message) => {
        arrived.push(message);
      },
    });

    await expect.poll(outbox.waiting).toEqual([]);
    expect(arrived).toEqual([aMessage("a")]);
  });

  test("a poke delivers without waiting for the poll", async () => {
    const relaying = outbox.relay({ pollMs: 3_600_000 });
    await vi.waitFor(async () => {
      // Pokes until the relay has gone to sleep at least once with nothing to do.
      relaying.poke();
      expect((await relaying.depth()).pending).toBe(0);
    });
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);

    relaying.poke();

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["a"]);
  });

  test("messages of a key keep their order, however many relays run", async () => {
    const messages = Array.from({ length: 300 }, (_, n) => aMessage(`m${n}`, `k${n % 7}`));
    await enqueue(outbox.pool, messages, outbox.now);

    outbox.relay({ concurrency: 2 });
    outbox.relay({ concurrency: 2 });
    outbox.relay({ concurrency: 2 });

    await expect.poll(outbox.waiting, { timeout: 5_000 }).toEqual([]);
    const byKey = (ids: string[]) => Map.groupBy(ids, (id) => Number(id.slice(1)) % 7);
    expect(outbox.told).toHaveLength(300);
    expect(byKey(outbox.told)).toEqual(byKey(messages.map((message) => message.id)));
  });

  test("nothing is left behind, however enqueueing and delivering overlap", async () => {
    const ids = Array.from({ length: 400 }, (_, n) => `m${n}`);
    const relays = [1, 2, 3].map(() => outbox.relay({ concurrency: 3 }));
    const locks = Array.from({ length: 4 }, () => Promise.resolve());

    // Eight at once, over four keys; those of one key follow each other.
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (const [nth, id] of ids.entries()) {
          if (nth % 8 !== writer) continue;
          const key = nth % 4;
          const mine = (locks[key] as Promise<void>).then(() =>
            withTransaction(outbox.pool, (tx) => enqueue(tx, [aMessage(id, `k${key}`)], NOON)),
          );
          locks[key] = mine;
          await mine;
          relays[nth % 3]?.poke();
        }
      }),
    );

    await expect.poll(outbox.waiting, { timeout: 5_000 }).toEqual([]);
    expect(outbox.told.toSorted()).toEqual(ids.toSorted());
    await expect.poll(outbox.busyKeys).toEqual([]);
  });

  test("a slow key does not hold the others up", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    await enqueue(outbox.pool, [aMessage("slow"), aMessage("a"), aMessage("b")], outbox.now);

    outbox.relay({
      concurrency: 2,
      deliver: async ({ id }) => {
        if (id === "slow") await held;
        outbox.told.push(id);
      },
    });

    await expect.poll(outbox.waiting).toEqual(["slow"]);
    expect(outbox.told.toSorted()).toEqual(["a", "b"]);
    resolve();
    await expect.poll(outbox.waiting).toEqual([]);
  });

  test("no more keys are delivered at once than concurrency says", async () => {
    let running = 0;
    let most = 0;
    await enqueue(
      outbox.pool,
      Array.from({ length: 20 }, (_, n) => aMessage(`m${n}`)),
      outbox.now,
    );

    outbox.relay({
      concurrency: 3,
      deliver: async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
      },
    });

    await expect.poll(outbox.waiting).toEqual([]);
    expect(most).toBe(3);
  });

  test("no transaction is open while a message is delivered", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    const { promise: delivering, resolve: begins } = Promise.withResolvers<void>();
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    outbox.relay({
      deliver: async () => {
        begins();
        await held;
      },
    });
    await delivering;

    const { rowCount } = await outbox.pool.query(
      `select from pg_stat_activity
       where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
         and state <> 'active'`,
    );

    expect(rowCount).toBe(0);
    resolve();
    await expect.poll(outbox.waiting).toEqual([]);
  });
});

describe("failure", () => {
  test("a failed message waits for its back-off, and its successors wait with it", async () => {
    const errors: string[] = [];
    let down = true;
    await enqueue(outbox.pool, [aMessage("a", "k"), aMessage("b", "k"), aMessage("c")], outbox.now);
    outbox.relay({
      deliver: async ({ id }) => {
        if (down && id === "a") throw new Error("peer away");
        outbox.told.push(id);
      },
      onError: ({ id }, error) => errors.push(`${id}: ${(error as Error).message}`),
    });
    await expect.poll(outbox.waiting).toEqual(["a", "b"]);
    await expect.poll(() => errors).toEqual(["a: peer away"]);
    expect(outbox.told).toEqual(["c"]);

    down = false;
    outbox.later(124);
    expect(await outbox.waitingAfterAnotherLook()).toEqual(["a", "b"]);
    outbox.later(2);

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["c", "a", "b"]);
  });

  test("the back-off doubles with every failure", async () => {
    let attempts = 0;
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    const relaying = outbox.relay({
      pollMs: 3_600_000,
      deliver: async () => {
        attempts++;
        throw new Error("away");
      },
    });

    const pauses: number[] = [];
    for (let failures = 1; failures <= 5; failures++) {
      await expect.poll(released).toEqual({ attempts: failures });
      const { rows } = await outbox.pool.query("select due_at from outbox_lanes");
      pauses.push(rows[0].due_at.getTime() - outbox.now.getTime());
      outbox.now = rows[0].due_at;
      relaying.poke();
    }

    expect(pauses).toEqual([125, 250, 500, 1_000, 2_000]);
    expect(attempts).toBeGreaterThanOrEqual(5);
  });

  test("a delivery that takes too long has failed, heeding the signal or not", async () => {
    const errors: unknown[] = [];
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);

    outbox.relay({
      timeoutMs: 20,
      deliver: () => new Promise(() => {}),
      onError: (_, error) => errors.push((error as Error).message),
    });

    await expect.poll(() => errors).toEqual(["no answer in 20 ms"]);
  });

  test("an error is kept whatever is in it", async () => {
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    outbox.relay({
      deliver: async () => {
        throw new Error(`a \0 and ${"x".repeat(10_000)}`);
      },
    });

    const read = async () => (await outbox.pool.query("select error from outbox")).rows[0]?.error;
    await expect.poll(read).toMatch(/^a {2}and x{100}/);
    expect(await read()).toHaveLength(2_000);
  });

  test("a message that was told but could not be deleted is told again", async () => {
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    await outbox.pool.query("create rule keep as on delete to outbox do instead select 1 / 0");
    const faults: unknown[] = [];
    outbox.relay({ onFault: (error) => faults.push(error) });
    await expect.poll(() => faults.length).toBe(1);

    await outbox.pool.query("drop rule keep on outbox");
    outbox.later(10_000);

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["a", "a"]);
  });

  test("a claim that a dead process left runs out", async () => {
    await enqueue(outbox.pool, [aMessage("a", "k"), aMessage("b", "k")], outbox.now);
    await outbox.pool.query(
      "insert into outbox_lanes (key, claim, due_at) values ('k', gen_random_uuid(), $1)",
      [new Date(outbox.now.getTime() + 10_000)],
    );
    outbox.relay();
    expect(await outbox.waitingAfterAnotherLook()).toEqual(["a", "b"]);

    outbox.later(10_000);

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["a", "b"]);
  });

  test("a relay outlives a database fault and reports it", async () => {
    const faults: unknown[] = [];
    await outbox.pool.query("alter table outbox rename to hidden");
    outbox.relay({ onFault: (error) => faults.push(error) });
    await expect.poll(() => faults.length).toBeGreaterThan(0);

    await outbox.pool.query("alter table hidden rename to outbox");
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);

    await expect.poll(outbox.waiting, { timeout: 5_000 }).toEqual([]);
  });
});

describe("a clock that is set back", () => {
  test("does not delay a message that was enqueued before", async () => {
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    outbox.later(-3_600_000);

    outbox.relay();

    await expect.poll(outbox.waiting).toEqual([]);
  });

  test("does not keep up what it would keep up for longer than any back-off", async () => {
    await enqueue(outbox.pool, [aMessage("a"), aMessage("b")], outbox.now);
    await outbox.pool.query(
      "insert into outbox_lanes (key, due_at) values ('a', $1), ('b', 'infinity')",
      [new Date(outbox.now.getTime() + 3_600_000)],
    );

    outbox.relay();

    await expect.poll(outbox.waiting).toEqual(["b"]);
    expect(outbox.told).toEqual(["a"]);
  });
});

describe("dispose", () => {
  test("deliveries under way are finished, and the rest is given back at once", async () => {
    const { promise: held, resolve } = Promise.withResolvers<void>();
    const { promise: delivering, resolve: begins } = Promise.withResolvers<void>();
    await enqueue(outbox.pool, [aMessage("a", "k"), aMessage("b", "k")], outbox.now);
    const relaying = outbox.relay({
      deliver: async ({ id }) => {
        begins();
        await held;
        outbox.told.push(id);
      },
    });
    await delivering;

    const disposing = relaying[Symbol.asyncDispose]();
    resolve();
    await disposing;

    expect(outbox.told).toEqual(["a"]);
    expect(await outbox.claims()).toEqual([{ id: "b", claim: null, attempts: 0 }]);
  });

  test("deliveries that outlast the limit are aborted and given back untried", async () => {
    const { promise: delivering, resolve: begins } = Promise.withResolvers<AbortSignal>();
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    const relaying = outbox.relay({
      drainMs: 10,
      deliver: (_, signal) => {
        begins(signal);
        return new Promise(() => {});
      },
    });
    const signal = await delivering;

    await relaying[Symbol.asyncDispose]();

    expect(signal.aborted).toBe(true);
    expect(await outbox.claims()).toEqual([{ id: "a", claim: null, attempts: 0 }]);
  });
});

async function released(): Promise<unknown> {
  const query = "select attempts from outbox join outbox_lanes using (key) where claim is null";
  return (await outbox.pool.query(query)).rows[0];
}
