import { Code, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { callOptions, reasonOf, streamed } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** Within this a caller connects, however busy the machine: else no handler hears of the call. */
const SOON_MS = 1_000;

describe("a deadline", () => {
  test("reaches the handler as its signal and as the time that is left", async () => {
    let leftMs: number | undefined;
    const reason = Promise.withResolvers<unknown>();
    await using book = await openNotebook({
      read: async (_, ctx) => {
        leftMs = ctx.timeoutMs();
        reason.resolve(await aborted(ctx.signal));
        return {};
      },
    });

    const error = await failureOf(book.notes.read({}, { timeoutMs: SOON_MS }));

    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(reasonOf(error)).toBe("DEADLINE_EXCEEDED");
    expect(reasonOf(await reason.promise)).toBe("DEADLINE_EXCEEDED");
    expect(leftMs).toBeLessThanOrEqual(SOON_MS);
    expect(book.finished).toMatchObject([{ code: "deadline_exceeded" }]);
  });

  test("ends a call whose handler looks at nothing", async () => {
    await using book = await openNotebook({ read: () => new Promise(() => {}) });

    const error = await failureOf(book.notes.read({}, { timeoutMs: SOON_MS }));

    expect(reasonOf(error)).toBe("DEADLINE_EXCEEDED");
    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "deadline_exceeded" }]));
  });

  test("is set by the channel when the caller sets none", async () => {
    await using book = await openNotebook(
      { read: (_, ctx) => ({ count: Math.ceil(ctx.timeoutMs() ?? -1) }) },
      { timeoutMs: 4_000 },
    );

    const { count } = await book.notes.read({});

    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(4_000);
  });

  test("that has passed is refused without a call", async () => {
    await using book = await openNotebook();

    const error = await failureOf(book.notes.read({}, { timeoutMs: 0 }));

    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(book.finished).toEqual([]);
  });

  test("leaves an outgoing call a little less time than the incoming one has", async () => {
    await using far = await openNotebook({
      read: (_, ctx) => ({ count: Math.ceil(ctx.timeoutMs() ?? -1) }),
    });
    await using near = await openNotebook({
      read: (note, ctx) => far.notes.read(note, callOptions(ctx)),
    });

    const { count } = await near.notes.read({}, { timeoutMs: 8_000 });

    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(7_980);
  });

  test("of an outgoing call that takes too long is told by the service in between", async () => {
    await using far = await openNotebook({ read: () => new Promise(() => {}) });
    await using near = await openNotebook({
      read: (note, ctx) => far.notes.read(note, callOptions(ctx)),
    });

    const error = await failureOf(near.notes.read({}, { timeoutMs: SOON_MS }));

    expect(reasonOf(error)).toBe("DEADLINE_EXCEEDED");
    expect(near.finished).toMatchObject([{ code: "deadline_exceeded" }]);
  });
});

describe("a caller who leaves", () => {
  test("aborts the handler of a unary call", async () => {
    const begun = Promise.withResolvers<HandlerContext>();
    await using book = await openNotebook({
      read: (_, ctx) => {
        begun.resolve(ctx);
        return new Promise(() => {});
      },
    });
    const leaving = new AbortController();

    const failure = failureOf(book.notes.read({}, { signal: leaving.signal }));
    const { signal } = await begun.promise;
    const reason = aborted(signal);
    leaving.abort();

    expect((await failure).code).toBe(Code.Canceled);
    expect(reasonOf(await reason)).toBe("CANCELED");
    expect(book.finished).toMatchObject([{ code: "canceled" }]);
  });

  test("by breaking out of a streamed loop ends the handler, its finally included", async () => {
    let cleaned = false;
    await using book = await openNotebook({
      async *list(_, { signal }) {
        try {
          yield { count: 1 };
          await aborted(signal);
        } finally {
          cleaned = true;
        }
      },
    });

    for await (const note of streamed((signal) => book.notes.list({}, { signal }))) {
      expect(note.count).toBe(1);
      break;
    }

    await vi.waitFor(() => expect(cleaned).toBe(true));
    expect(book.finished).toMatchObject([{ code: "canceled", kind: "server_streaming" }]);
  });

  test.each(["leaves", "is told to end by its deadline"])(
    "and %s makes the server let go of what it is handed messages by, at once",
    async (how) => {
      const released = vi.fn(async () => ({ done: true as const, value: undefined }));
      const asked = Promise.withResolvers<void>();
      let given = 0;
      const endless = {
        async next() {
          given += 1;
          if (given === 1) return { done: false as const, value: { count: 1 } };
          asked.resolve();
          return new Promise<never>(() => {});
        },
        return: released,
      };
      await using book = await openNotebook({
        list: () => ({ [Symbol.asyncIterator]: () => endless }),
      });
      const leaving = new AbortController();
      const options = how === "leaves" ? { signal: leaving.signal } : { timeoutMs: SOON_MS };

      const failure = failureOf(
        (async () => {
          for await (const _ of book.notes.list({}, options));
        })(),
      );
      await asked.promise;
      if (how === "leaves") leaving.abort();
      await failure;

      await vi.waitFor(() => expect(released).toHaveBeenCalledTimes(1));
      expect(book.finished).toHaveLength(1);
    },
  );

  test("by aborting the signal given to streamed gets CANCELED", async () => {
    await using book = await openNotebook({
      async *list(_, { signal }) {
        yield { count: 1 };
        await aborted(signal);
      },
    });
    const leaving = new AbortController();

    const call = async () => {
      const notes = streamed((signal) => book.notes.list({}, { signal }), leaving.signal);
      for await (const _ of notes) leaving.abort();
    };
    const error = await failureOf(call());

    expect(error.code).toBe(Code.Canceled);
  });

  test("ends a handler that waits for the next request of a stream", async () => {
    const ended = Promise.withResolvers<unknown>();
    await using book = await openNotebook({
      async *chat(notes) {
        try {
          for await (const note of notes) yield note;
        } catch (error) {
          ended.resolve(error);
          throw error;
        }
      },
    });

    const input = (async function* () {
      yield { count: 1 };
      await new Promise(() => {});
    })();
    for await (const _ of streamed((signal) => book.notes.chat(input, { signal }))) break;

    expect(reasonOf(await ended.promise)).toBe("CANCELED");
    expect(book.lateErrors).toEqual([]);
  });

  test("in the middle of what he sends is not taken for one who has said all", async () => {
    let heard = 0;
    await using book = await openNotebook({
      async sum(notes) {
        for await (const note of notes) heard += note.count;
        return { count: heard };
      },
    });
    const leaving = new AbortController();

    const input = (async function* () {
      yield { count: 1 };
      await vi.waitFor(() => expect(heard).toBe(1));
      leaving.abort();
      await new Promise(() => {});
    })();
    const error = await failureOf(book.notes.sum(input, { signal: leaving.signal }));

    expect(error.code).toBe(Code.Canceled);
    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "canceled" }]));
  });

  test("does not hide a bug in letting go", async () => {
    const asked = Promise.withResolvers<void>();
    await using book = await openNotebook({
      list: () => ({
        [Symbol.asyncIterator]: () => ({
          next() {
            asked.resolve();
            return new Promise<never>(() => {});
          },
          return: () => Promise.reject(new Error("stuck")),
        }),
      }),
    });
    const leaving = new AbortController();

    const failure = failureOf(
      (async () => {
        for await (const _ of book.notes.list({}, { signal: leaving.signal }));
      })(),
    );
    await asked.promise;
    leaving.abort();
    await failure;

    await vi.waitFor(() => expect(book.lateErrors).toMatchObject([{ message: "stuck" }]));
  });

  test("does not hide a bug that his leaving uncovers", async () => {
    const begun = Promise.withResolvers<void>();
    const bug = new TypeError("undefined is not a function");
    await using book = await openNotebook({
      read: async (_, { signal }) => {
        begun.resolve();
        await aborted(signal);
        throw bug;
      },
    });
    const leaving = new AbortController();

    const failure = failureOf(book.notes.read({}, { signal: leaving.signal }));
    await begun.promise;
    leaving.abort();
    await failure;

    await vi.waitFor(() => expect(book.lateErrors).toEqual([bug]));
  });
});

describe("a slow reader", () => {
  test("holds the handler back, and lets it end when he leaves", async () => {
    let yielded = 0;
    let cleaned = false;
    const blob = new Uint8Array(32 * 1024);
    await using book = await openNotebook({
      async *list() {
        try {
          for (; yielded < 1_000; yielded += 1) yield { blob };
        } finally {
          cleaned = true;
        }
      },
    });

    const notes = streamed((signal) => book.notes.list({}, { signal }));
    await notes.next();
    // Nobody reads: what was yielded must come to rest.
    let before = -1;
    await vi.waitFor(
      () => {
        const moved = yielded !== before;
        before = yielded;
        expect(moved).toBe(false);
      },
      { interval: 100 },
    );
    const atRest = yielded;
    await notes.return();

    expect(atRest).toBeLessThan(200);
    await vi.waitFor(() => expect(cleaned).toBe(true));
    expect(book.finished).toMatchObject([{ code: "canceled" }]);
  });

  test("gets every message when he reads on", async () => {
    await using book = await openNotebook({
      async *list({ count }) {
        for (let index = 0; index < count; index += 1)
          yield { count: index, blob: new Uint8Array(4096) };
      },
    });
    let seen = 0;

    for await (const note of book.notes.list({ count: 2_000 })) {
      expect(note.count).toBe(seen);
      seen += 1;
      if (seen % 100 === 0) await new Promise(setImmediate);
    }

    expect(seen).toBe(2_000);
  });
});
