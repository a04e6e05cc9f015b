import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { backoffMs, Rejection, type ResumedOptions, resumed } from "../src/index.ts";

interface Message {
  readonly text: string;
  readonly resumeToken: string;
}

/** What one stream sends, and the error that it ends with; without one the server closes it. */
interface Script {
  readonly sends: readonly string[];
  readonly fails?: Error;
  /** Stays open until it is aborted. */
  readonly stays?: boolean;
}

const LOST = new ConnectError("gone", Code.Unavailable);
const REFUSED = new Rejection("INVALID_RESUME_TOKEN", "unknown token");

/** Streams by script; "a:1" is a message "a" whose token is "1", and capitals are of the snapshot. */
function aServer(scripts: readonly Script[], options: Partial<ResumedOptions<Message>> = {}) {
  const stopping = new AbortController();
  const seen = {
    tokens: [] as string[],
    full: [] as boolean[],
    ends: [] as unknown[],
    attempts: [] as number[],
    calls: [] as AbortSignal[],
  };
  async function* open(token: string, signal: AbortSignal): AsyncGenerator<Message> {
    const { sends, fails, stays } = scripts[seen.tokens.length] ?? { sends: [], stays: true };
    seen.tokens.push(token);
    for (const each of sends) {
      const [text = "", resumeToken = ""] = each.split(":");
      yield { text, resumeToken };
    }
    if (stays && !signal.aborted) {
      await new Promise((_, reject) => signal.addEventListener("abort", reject));
    }
    if (fails !== undefined) throw fails;
  }
  /** As those of a Connect client, its iterables have no `return`. */
  function call(token: string, signal: AbortSignal): AsyncIterable<Message> {
    seen.calls.push(signal);
    const stream = open(token, signal);
    return { [Symbol.asyncIterator]: () => ({ next: () => stream.next() }) };
  }
  const messages = resumed(
    {
      open: call,
      isSnapshot: ({ text }) => text === text.toUpperCase(),
      pauseMs: (attempt) => {
        seen.attempts.push(attempt);
        return 0;
      },
      onBegin: ({ full }) => seen.full.push(full),
      onEnd: (error) => seen.ends.push(error),
      ...options,
    },
    stopping.signal,
  );
  return { messages, seen, stop: () => stopping.abort() };
}

/** The texts up to `last`, after which the loop is left. */
async function textsUntil(messages: AsyncIterable<Message>, last: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of messages) {
    texts.push(text);
    if (text === last) break;
  }
  return texts;
}

describe("a resumed stream", () => {
  test("goes on behind the last token when it is lost or closed", async () => {
    const { messages, seen } = aServer([
      { sends: ["A", "b:1", "c:2"], fails: LOST },
      { sends: ["d:3", "e"] },
      { sends: ["f:4"] },
    ]);

    expect(await textsUntil(messages, "f")).toEqual(["A", "b", "c", "d", "e", "f"]);

    expect(seen.tokens).toEqual(["", "2", "3"]);
    expect(seen.full).toEqual([true, false, false]);
    expect(seen.ends).toEqual([LOST, undefined]);
  });

  test("starts anew at once when its token is refused", async () => {
    const { messages, seen } = aServer([
      { sends: ["a:1"], fails: LOST },
      { sends: [], fails: REFUSED },
      { sends: ["B", "c:9"] },
    ]);

    expect(await textsUntil(messages, "c")).toEqual(["a", "B", "c"]);

    expect(seen.tokens).toEqual(["", "1", ""]);
    expect(seen.full).toEqual([true, false, true]);
    expect(seen.ends).toEqual([LOST, undefined]);
    expect(seen.attempts).toEqual([1]);
  });

  test("waits longer each time, until a stream gets beyond its snapshot", async () => {
    const { messages, seen } = aServer([
      { sends: [], fails: LOST },
      { sends: [], fails: REFUSED },
      { sends: ["A", "B"], fails: LOST },
      { sends: ["A", "B", "c"], fails: LOST },
      { sends: ["d"] },
    ]);

    await textsUntil(messages, "d");

    expect(seen.attempts).toEqual([1, 2, 3, 1]);
    expect(seen.ends).toEqual([LOST, REFUSED, LOST, LOST]);
  });

  test("ends with what onEnd throws", async () => {
    const { messages } = aServer([{ sends: ["a:1"], fails: LOST }], {
      onEnd: (error) => {
        throw error;
      },
    });

    await expect(textsUntil(messages, "z")).rejects.toBe(LOST);
  });

  test.each(["an abort", "leaving the loop"])("ends its call, and quietly, by %s", async (way) => {
    const { messages, seen, stop } = aServer([{ sends: ["a:1"], stays: true }]);

    for await (const _ of messages) {
      if (way === "an abort") stop();
      else break;
    }

    expect(seen.calls.map(({ aborted }) => aborted)).toEqual([true]);
    expect(seen.ends).toEqual([]);
  });

  test("opens nothing when it was aborted before", async () => {
    const { messages, seen, stop } = aServer([{ sends: ["a"] }]);
    stop();

    expect(await textsUntil(messages, "z")).toEqual([]);
    expect(seen.tokens).toEqual([]);
  });
});

describe("the back-off", () => {
  test.each([
    { attempt: 1, least: 50, most: 100 },
    { attempt: 2, least: 100, most: 200 },
    { attempt: 6, least: 1_600, most: 3_200 },
    { attempt: 7, least: 2_500, most: 5_000 },
    { attempt: 2_000, least: 2_500, most: 5_000 },
  ])("of attempt $attempt is from $least to $most ms", ({ attempt, least, most }) => {
    expect(backoffMs(attempt, () => 0)).toBe(least);
    expect(backoffMs(attempt, () => 1)).toBe(most);
  });
});
