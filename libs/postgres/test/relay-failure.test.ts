import { describe, expect, test } from "vitest";
import { enqueue } from "../src/index.ts";
import { aMessage, useOutbox } from "./support/outbox.ts";

const outbox = useOutbox();

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

    await expect.poll(outbox.waiting).toEqual([]);
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

async function released(): Promise<unknown> {
  const query = "select attempts from outbox join outbox_lanes using (key) where claim is null";
  return (await outbox.pool.query(query)).rows[0];
}
