import { describe, expect, test, vi } from "vitest";
import { enqueue, type OutboxMessage } from "../src/index.ts";
import { aMessage, useOutbox } from "./support/outbox.ts";

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
      const { rows } = await outbox.pool.query("select next_attempt_at from outbox");
      pauses.push(rows[0].next_attempt_at.getTime() - outbox.now.getTime());
      outbox.now = rows[0].next_attempt_at;
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

  test("a claim that a dead process left runs out", async () => {
    await enqueue(outbox.pool, [aMessage("a", "k"), aMessage("b", "k")], outbox.now);
    await outbox.pool.query(
      "update outbox set claim = gen_random_uuid(), claimed_until = $1 where key = 'k'",
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
  return (await outbox.pool.query("select attempts from outbox where claim is null")).rows[0];
}
