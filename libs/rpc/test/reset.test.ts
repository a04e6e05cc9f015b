import { once } from "node:events";
import type { HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ANONYMOUS } from "../src/index.ts";
import { openNotebook } from "./notebook.ts";
import { connectRaw, framed } from "./raw-caller.ts";
import { connectSocket, dataFrame, headersFrame, resetFrame } from "./raw-socket.ts";

const MESSAGE = framed(new Uint8Array());
const NO_ERROR = 0;
const CANCEL = 8;

function path(name: string): string {
  return `notes.v1.NoteService/${name}`;
}

/** Hangs until the call is over. */
async function hang({ signal }: HandlerContext): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}

describe.each([
  ["without an error", NO_ERROR],
  ["by cancelling", CANCEL],
])("a caller who takes a call back %s", (_, code) => {
  const kinds = ["Read", "List", "Sum", "Chat"];
  const cuts = [0, 1, 5];
  const moments = kinds.flatMap((kind) => cuts.map((cut) => ({ kind, cut })));

  test.each(moments)("in one piece with $cut bytes of it is counted: $kind", async (moment) => {
    const { kind, cut } = moment;
    await using book = await openNotebook({
      read: (_, ctx) => hang(ctx),
      sum: (_, ctx) => hang(ctx),
      async *list(_, ctx) {
        yield await hang(ctx);
      },
      async *chat(_, ctx) {
        yield await hang(ctx);
      },
    });
    await using caller = await connectSocket(book.server.address);

    const begun = [headersFrame(1, path(kind)), dataFrame(1, MESSAGE.subarray(0, cut))];
    caller.say(...begun, resetFrame(1, code));

    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "canceled" }]));
    expect(book.lateErrors).toEqual([]);
  });

  test("ends a handler that does not read what was said before", async () => {
    let read = 0;
    await using book = await openNotebook({
      async *chat(notes, ctx) {
        for await (const note of notes) {
          read += 1;
          yield note;
          await hang(ctx);
        }
      },
    });
    await using caller = await connectSocket(book.server.address);
    caller.say(headersFrame(1, path("Chat")), dataFrame(1, MESSAGE));
    await vi.waitFor(() => expect(read).toBe(1));
    caller.say(dataFrame(1, MESSAGE));
    await new Promise(setImmediate);

    caller.say(dataFrame(1, MESSAGE), resetFrame(1, code));

    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "canceled" }]));
    expect(book.lateErrors).toEqual([]);
  });

  test("leaves nothing behind when it was answered and nobody has read all of either", async () => {
    await using book = await openNotebook({
      async sum(notes) {
        for await (const { count } of notes) return { count: count + 1 };
        return {};
      },
    });
    await using caller = await connectSocket(book.server.address, 0);
    caller.say(headersFrame(1, path("Sum")), dataFrame(1, MESSAGE));
    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "ok" }]));
    caller.say(dataFrame(1, MESSAGE));
    await new Promise(setImmediate);

    caller.say(resetFrame(1, code));
    await new Promise(setImmediate);

    // A drain waits for every stream of a connection, for at most five seconds here.
    const startedMs = performance.now();
    await book.server.drain();
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});

describe("a deadline", () => {
  test("as far away as a caller can say is none that has passed", async () => {
    const warned = vi.spyOn(process, "emitWarning");
    await using book = await openNotebook({
      read: async () => {
        const startedMs = performance.now();
        await vi.waitUntil(() => performance.now() - startedMs > 20, { interval: 1 });
        return {};
      },
    });
    await using caller = connectRaw(book.server.address);

    const heard = await caller.call(path("Read"), { "grpc-timeout": "99999999H" });

    expect(heard["grpc-status"]).toBe("0");
    expect(warned).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test.each(["Read", "List"])("that passes before a request is whole ends it: %s", async (name) => {
    let handled = 0;
    const handler = () => {
      handled += 1;
      throw new Error("too late");
    };
    const begun = Promise.withResolvers<void>();
    const authenticate = () => {
      begun.resolve();
      return ANONYMOUS;
    };
    const guard = { authenticate, authorize: () => {} };
    await using book = await openNotebook({ read: handler, list: handler }, { guard });
    await using caller = await connectSocket(book.server.address);
    caller.say(headersFrame(1, path(name), { "grpc-timeout": "200m" }));
    await begun.promise;

    // A process that is held up finds the deadline and the message at the same time.
    caller.say(dataFrame(1, MESSAGE, true));
    const startedMs = performance.now();
    while (performance.now() - startedMs < 250);

    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "deadline_exceeded" }]));
    await new Promise(setImmediate);
    expect(handled).toBe(0);
  });
});
