import { beforeEach, describe, expect, test } from "vitest";
import {
  discardParked,
  enqueue,
  enqueueNew,
  listParked,
  type OutboxMessage,
  unpark,
  withTransaction,
} from "../src/index.ts";
import { aMessage, NOON, useOutbox } from "./support/outbox.ts";

const outbox = useOutbox();

describe("enqueue", () => {
  test("a message exists exactly when its transaction committed", async () => {
    await withTransaction(outbox.pool, (tx) => enqueue(tx, [aMessage("a")], outbox.now));
    const failing = withTransaction(outbox.pool, async (tx) => {
      await enqueue(tx, [aMessage("b")], outbox.now);
      throw new Error("no");
    });

    await expect(failing).rejects.toThrow("no");
    expect(await outbox.waiting()).toEqual(["a"]);
  });

  test("an id that waits already is enqueued once", async () => {
    await enqueue(outbox.pool, [aMessage("a"), aMessage("b")], outbox.now);
    await enqueue(outbox.pool, [aMessage("b"), aMessage("c")], outbox.now);

    expect(await outbox.waiting()).toEqual(["a", "b", "c"]);
  });

  test("an id that waits already is refused where ids are drawn", async () => {
    await enqueueNew(outbox.pool, [aMessage("a"), aMessage("b")], outbox.now);
    const again = enqueueNew(outbox.pool, [aMessage("b"), aMessage("c")], outbox.now);

    await expect(again).rejects.toMatchObject({ constraint: "outbox_id_key" });
    expect(await outbox.waiting()).toEqual(["a", "b"]);
  });

  test.each([enqueue, enqueueNew])("nothing to enqueue is no statement", async (write) => {
    await write(outbox.pool, [], outbox.now);

    expect(await outbox.waiting()).toEqual([]);
  });
});

describe("parking", () => {
  const refuse = {
    deliver: async ({ id }: OutboxMessage) => {
      if (id === "bad") throw new Error("never");
      outbox.told.push(id);
    },
    permanent: (error: unknown) => (error as Error).message === "never",
  };

  beforeEach(async () => {
    await enqueue(
      outbox.pool,
      [aMessage("bad", "k"), aMessage("next", "k"), aMessage("other")],
      outbox.now,
    );
  });

  test("a message refused for good is kept with its error, and its successors wait", async () => {
    const relaying = outbox.relay(refuse);

    await expect.poll(outbox.waiting).toEqual(["bad", "next"]);
    await expect
      .poll(() => relaying.depth())
      .toEqual({ pending: 1, parked: 1, oldestAgeSeconds: 0 });
    outbox.later(3_600_000);
    expect(await relaying.depth()).toEqual({ pending: 1, parked: 1, oldestAgeSeconds: 3_600 });
    expect(await listParked(outbox.pool)).toEqual([
      { ...aMessage("bad", "k"), attempts: 1, error: "never", parkedAt: NOON },
    ]);
    expect(outbox.told).toEqual(["other"]);
  });

  test("an unparked message is delivered, then its successors", async () => {
    const refusing = outbox.relay(refuse);
    await expect.poll(async () => (await listParked(outbox.pool)).length).toBe(1);
    await refusing[Symbol.asyncDispose]();
    outbox.relay();

    expect(await unpark(outbox.pool, "bad")).toBe(true);

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["other", "bad", "next"]);
    expect(await unpark(outbox.pool, "bad")).toBe(false);
  });

  test("a discarded message frees its successors", async () => {
    outbox.relay(refuse);
    await expect.poll(async () => (await listParked(outbox.pool)).length).toBe(1);

    expect(await discardParked(outbox.pool, "next")).toBe(false);
    expect(await discardParked(outbox.pool, "bad")).toBe(true);

    await expect.poll(outbox.waiting).toEqual([]);
    expect(outbox.told).toEqual(["other", "next"]);
  });
});
