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

  test("what comes within the pace of a look that found little is claimed together", async () => {
    const later = ["b", "c", "d", "e", "f"];
    const claims = new Set<unknown>();
    await enqueue(outbox.pool, [aMessage("a")], outbox.now);
    const relaying = outbox.relay({
      paceMs: 1_000,
      pollMs: 3_600_000,
      deliver: async ({ id }) => {
        if (id === "a") {
          for (const next of later) {
            await enqueue(outbox.pool, [aMessage(next)], outbox.now);
            relaying.poke();
          }
        } else {
          const { rows } = await outbox.pool.query(
            "select claim from outbox_lanes where key = $1",
            [id],
          );
          claims.add(rows[0]?.claim);
        }
      },
    });

    await expect.poll(outbox.waiting).toEqual([]);
    expect(claims.size).toBe(1);
  });

  test.each([
    { title: "keys", key: undefined },
    { title: "messages of a key", key: "one" },
  ])("who has more $title to deliver than can be at once waits for no pace", async ({ key }) => {
    const all = Array.from({ length: 60 }, (_, nth) => aMessage(`m${nth}`, key));
    await enqueue(outbox.pool, all, outbox.now);

    outbox.relay({ paceMs: 3_600_000, pollMs: 3_600_000, concurrency: 1 });

    await expect.poll(outbox.waiting).toEqual([]);
  });

  test("messages of a key keep their order, however many relays run", async () => {
    const messages = Array.from({ length: 300 }, (_, n) => aMessage(`m${n}`, `k${n % 7}`));
    await enqueue(outbox.pool, messages, outbox.now);

    outbox.relay({ concurrency: 2 });
    outbox.relay({ concurrency: 2 });
    outbox.relay({ concurrency: 2 });

    await expect.poll(outbox.waiting).toEqual([]);
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

    await expect.poll(outbox.waiting).toEqual([]);
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
