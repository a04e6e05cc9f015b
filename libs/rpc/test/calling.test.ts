import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { type Channel, client, dial } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";
import { NoteService } from "./notes.ts";

const DAY_MS = 86_400_000;

describe("a signal that aborts", () => {
  test.each(["write", "list", "sum", "chat"] as const)(
    "before the call is on its way ends it: %s",
    async (name) => {
      await using book = await openNotebook();
      const leaving = new AbortController();
      const { signal } = leaving;

      const call = async () => {
        if (name === "write") return book.notes.write({}, { signal });
        if (name === "sum") return book.notes.sum(forEver(), { signal });
        const output =
          name === "list"
            ? book.notes.list({ count: 1 }, { signal })
            : book.notes.chat(forEver(), { signal });
        for await (const _ of output);
      };
      const failure = failureOf(call());
      leaving.abort();

      expect((await failure).code).toBe(Code.Canceled);
    },
  );

  test("while the token is made ends the call, which is never sent", async () => {
    const asked = Promise.withResolvers<void>();
    const token = Promise.withResolvers<string>();
    const leaving = new AbortController();
    await using book = await openNotebook(
      {},
      {
        token: () => {
          asked.resolve();
          return token.promise;
        },
      },
    );

    const failure = failureOf(book.notes.write({}, { signal: leaving.signal }));
    await asked.promise;
    leaving.abort();
    token.resolve("token");

    expect((await failure).code).toBe(Code.Canceled);
    expect(book.finished).toEqual([]);
  });
});

describe("a deadline of the caller", () => {
  test.each([30 * DAY_MS, 1e15, Number.POSITIVE_INFINITY])(
    "may be as far away as he likes: %d ms",
    async (timeoutMs) => {
      await using book = await openNotebook({
        write: async (_, ctx) => {
          await new Promise(setImmediate);
          ctx.signal.throwIfAborted();
          return { text: "in time" };
        },
      });

      expect((await book.notes.write({}, { timeoutMs })).text).toBe("in time");
    },
  );

  test("also covers the making of the token", async () => {
    await using book = await openNotebook({}, { token: () => new Promise(() => {}) });

    const error = await failureOf(book.notes.write({}, { timeoutMs: 30 }));

    expect(error.code).toBe(Code.DeadlineExceeded);
  });
});

describe("what a caller sends in a stream", () => {
  test("is asked for no more once the call is over, and may let go of what it holds", async () => {
    let released = false;
    const endless: AsyncIterable<{ count: number }> = {
      [Symbol.asyncIterator]: () => {
        let given = 0;
        return {
          next: () => {
            given += 1;
            return given === 1
              ? Promise.resolve({ done: false, value: { count: -1 } })
              : new Promise(() => {});
          },
          return: async () => {
            released = true;
            return { done: true, value: undefined };
          },
        };
      },
    };
    await using book = await openNotebook();

    const error = await failureOf(book.notes.sum(endless));

    expect(error.code).toBe(Code.InvalidArgument);
    await vi.waitFor(() => expect(released).toBe(true));
  });

  test("that fails ends the call with that failure", async () => {
    await using book = await openNotebook();
    const broken = (async function* () {
      yield { count: 1 };
      throw new Error("the file is gone");
    })();

    const error = await failureOf(book.notes.sum(broken));

    expect(error.rawMessage).toBe("the file is gone");
    expect(book.finished.filter(({ code }) => code === "ok")).toEqual([]);
  });
});

describe("a channel to several addresses", () => {
  const portOf = (channel: Channel) => channel.address;

  test("spreads its calls over all of them in turn", async () => {
    await using one = await openNotebook({ read: () => ({ text: "one" }) });
    await using two = await openNotebook({ read: () => ({ text: "two" }) });
    const address = `ipv4:${portOf(one.channel)},${portOf(two.channel)}`;
    using channel = dial({ address });
    const notes = client(NoteService, channel);
    const answers: string[] = [];
    await vi.waitFor(async () => {
      answers.push((await notes.read({})).text);
      expect(new Set(answers)).toEqual(new Set(["one", "two"]));
    });

    const next: string[] = [];
    for (let count = 0; count < 10; count += 1) next.push((await notes.read({})).text);

    expect(next.filter((text) => text === "one")).toHaveLength(5);
    expect(next[0]).not.toBe(next[1]);
  });

  test("goes on with the others when one of them stops, without a lost call", async () => {
    await using one = await openNotebook({ read: () => ({ text: "one" }) });
    await using two = await openNotebook({ read: () => ({ text: "two" }) });
    using channel = dial({ address: `ipv4:${portOf(one.channel)},${portOf(two.channel)}` });
    const notes = client(NoteService, channel);
    for (let count = 0; count < 4; count += 1) await notes.read({});

    await one.server.drain();

    const answers = await Promise.all(Array.from({ length: 20 }, () => notes.read({})));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["two"]));
  });
});

async function* forEver() {
  yield { count: 1 };
  await new Promise(() => {});
}
