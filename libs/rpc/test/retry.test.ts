import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Rejection } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";

/** A handler that refuses `times` times, then answers with how often it was called. */
function failing(times: number, reason: string) {
  let calls = 0;
  return Object.assign(
    () => {
      calls += 1;
      if (calls <= times) throw new Rejection(reason, "not now");
      return { count: calls };
    },
    { calls: () => calls },
  );
}

describe("a call that ends UNAVAILABLE", () => {
  test("is tried again when its method is idempotent", async () => {
    await using book = await openNotebook({ read: failing(3, "SHUTTING_DOWN") });

    expect((await book.notes.read({})).count).toBe(4);
  });

  test("is tried four times at most", async () => {
    const read = failing(9, "SHUTTING_DOWN");
    await using book = await openNotebook({ read });

    const error = await failureOf(book.notes.read({}));

    expect(error.code).toBe(Code.Unavailable);
    expect(read.calls()).toBe(4);
  });

  test("is not tried again when its method is not idempotent", async () => {
    const write = failing(1, "SHUTTING_DOWN");
    await using book = await openNotebook({ write });

    await failureOf(book.notes.write({}));

    expect(write.calls()).toBe(1);
  });
});

describe("a service that keeps failing", () => {
  test("is tried once per call when its failures have used up the budget of retries", async () => {
    const read = failing(Number.POSITIVE_INFINITY, "SHUTTING_DOWN");
    await using book = await openNotebook({ read });
    await Promise.all(Array.from({ length: 60 }, () => failureOf(book.notes.read({}))));
    const before = read.calls();

    await failureOf(book.notes.read({}));

    // Of 100 tokens each failure takes one, and below half of them nothing is tried again.
    expect(before).toBeLessThan(60 + 60);
    expect(read.calls()).toBe(before + 1);
  });
});

describe("a call that ends otherwise", () => {
  test.each(["NOTE_NOT_FOUND", "NOTE_BUSY", "UNHEARD_OF"])(
    "is not tried again: %s",
    async (reason) => {
      const read = failing(1, reason);
      await using book = await openNotebook({ read });

      await failureOf(book.notes.read({}));

      expect(read.calls()).toBe(1);
    },
  );
});

describe("a closed channel", () => {
  test("refuses new calls with UNAVAILABLE", async () => {
    await using book = await openNotebook();
    await book.notes.read({});

    book.channel.close();

    expect((await failureOf(book.notes.read({}))).code).toBe(Code.Unavailable);
  });
});
