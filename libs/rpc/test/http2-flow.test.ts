import { once } from "node:events";
import type { HandlerContext } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { FRAME, SETTING } from "../src/http2/frames.ts";
import { ANONYMOUS } from "../src/index.ts";
import {
  connectFrames,
  contentOf,
  type FramePeer,
  frame,
  isAnswered,
  windowFrame,
} from "./frame-peer.ts";
import { openNotebook } from "./notebook.ts";
import { framed } from "./raw-caller.ts";
import { dataFrame, headersFrame, resetFrame } from "./raw-socket.ts";

const EMPTY = framed(new Uint8Array());
const READ = "notes.v1.NoteService/Read";
const LIST = "notes.v1.NoteService/List";
const CHAT = "notes.v1.NoteService/Chat";
const WINDOW = 65_535;
const OPEN = 2 ** 31 - 1 - WINDOW;
const guard = { authenticate: () => ANONYMOUS, authorize: () => {} };

/** A whole call. */
function call(stream: number, method: string): Buffer {
  return Buffer.concat([headersFrame(stream, method), dataFrame(stream, EMPTY, true)]);
}

/** How often the server has given the client more room, by stream. */
function roomGiven(peer: FramePeer, stream: number): number {
  return peer.heard
    .filter((each) => each.type === FRAME.windowUpdate && each.stream === stream)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
}

/** Waits until a number that grows from 0 stays as it is. */
async function atRest(read: () => number): Promise<number> {
  let before = 0;
  await vi.waitUntil(
    () => {
      const isSame = before > 0 && read() === before;
      before = read();
      return isSame;
    },
    { interval: 50 },
  );
  return before;
}

async function hang({ signal }: HandlerContext): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}

describe("an answer", () => {
  test("to many calls that came at once leaves in one write", async () => {
    await using book = await openNotebook({}, { guard });
    await using peer = await connectFrames(book.server.address);
    await vi.waitFor(() => expect(peer.heard.length).toBe(3));
    const before = peer.chunks.length;

    const streams = Array.from({ length: 50 }, (_, nth) => 2 * nth + 1);
    peer.say(...streams.map((stream) => call(stream, READ)));

    await vi.waitFor(() => {
      expect(streams.every((stream) => isAnswered(peer, stream))).toBe(true);
    });
    expect(peer.chunks.length - before).toBe(1);
  });

  test.each([
    ["stream", 1, 0],
    ["connection", 0, 1],
  ])("goes no further than the window of its %s", async (_, widened, other) => {
    const blob = new Uint8Array(200_000).fill(7);
    await using book = await openNotebook({ read: () => ({ blob }) }, { guard });
    await using peer = await connectFrames(book.server.address);
    peer.say(call(1, READ), windowFrame(other, OPEN));

    const first = await atRest(() => contentOf(peer, 1).length);
    peer.say(windowFrame(widened, 1_000));
    await vi.waitFor(() => expect(contentOf(peer, 1).length).toBe(WINDOW + 1_000));
    peer.say(windowFrame(widened, OPEN - 1_000));
    await vi.waitFor(() => expect(isAnswered(peer, 1)).toBe(true));

    expect(first).toBe(WINDOW);
    expect(contentOf(peer, 1).subarray(-blob.length)).toEqual(Buffer.from(blob));
  });

  test("follows settings that change the windows of streams, below zero too", async () => {
    const blob = new Uint8Array(100_000);
    await using book = await openNotebook({ read: () => ({ blob }) }, { guard });
    await using peer = await connectFrames(book.server.address, [[SETTING.streamWindow, 50_000]]);
    const setWindow = (bytes: number): Buffer => {
      const payload = Buffer.from([0, SETTING.streamWindow, 0, 0, 0, 0]);
      payload.writeUInt32BE(bytes, 2);
      return frame(FRAME.settings, 0, 0, payload);
    };
    peer.say(call(1, READ), windowFrame(0, OPEN));
    await vi.waitFor(() => expect(contentOf(peer, 1).length).toBe(50_000));

    // 50,000 were sent, so that the window is at minus 40,000.
    peer.say(setWindow(10_000), windowFrame(1, 40_000), windowFrame(1, 5));
    const rest = await atRest(() => contentOf(peer, 1).length);
    peer.say(setWindow(WINDOW * 2));

    await vi.waitFor(() => expect(isAnswered(peer, 1)).toBe(true));
    expect(rest).toBe(50_005);
  });

  test("that is short is not held up by those that are long", async () => {
    const blob = new Uint8Array(4_000_000);
    await using book = await openNotebook(
      { read: () => ({ blob }), write: (note) => note },
      { guard },
    );
    await using peer = await connectFrames(book.server.address, [[SETTING.streamWindow, OPEN]]);
    peer.say(windowFrame(0, OPEN));

    peer.say(call(1, READ), call(3, READ), call(5, "notes.v1.NoteService/Write"));

    await vi.waitFor(() => {
      expect([1, 3, 5].every((stream) => isAnswered(peer, stream))).toBe(true);
    });
    const ends = peer.heard.filter(({ flags, type }) => type === FRAME.headers && flags === 5);
    expect(ends.map(({ stream }) => stream)).toEqual([5, 1, 3]);
  });

  test("of a handler that never rests lets others be answered", async () => {
    let isOver = false;
    await using book = await openNotebook(
      {
        async *list() {
          for (; !isOver; ) yield { text: "more" };
        },
      },
      { guard },
    );
    await using peer = await connectFrames(book.server.address, [[SETTING.streamWindow, OPEN]]);
    peer.say(windowFrame(0, OPEN), call(1, LIST));
    await vi.waitFor(() => expect(contentOf(peer, 1).length).toBeGreaterThan(0));

    peer.say(call(3, READ));

    await vi.waitFor(() => expect(isAnswered(peer, 3)).toBe(true));
    isOver = true;
    peer.say(resetFrame(1, 8));
  });

  test("that nobody reads holds its handler back", async () => {
    let yielded = 0;
    const blob = new Uint8Array(10_000);
    await using book = await openNotebook(
      {
        async *list() {
          for (;;) {
            yielded += 1;
            yield { blob };
          }
        },
      },
      { guard },
    );
    await using peer = await connectFrames(book.server.address, [[SETTING.streamWindow, OPEN]]);
    peer.pause();
    peer.say(windowFrame(0, OPEN), call(1, LIST));
    await vi.waitFor(() => expect(yielded).toBeGreaterThan(0));

    const before = await atRest(() => yielded);
    peer.resume();

    await vi.waitFor(() => expect(yielded).toBeGreaterThan(before + 100));
    peer.say(resetFrame(1, 8));
    await vi.waitFor(() => expect(book.finished).toMatchObject([{ code: "canceled" }]));
  });
});

describe("a request", () => {
  test("is given more room as its handler takes messages", async () => {
    const go = Promise.withResolvers<void>();
    await using book = await openNotebook({
      async *chat(notes) {
        await go.promise;
        for await (const _ of notes);
        yield {};
      },
    });
    await using peer = await connectFrames(book.server.address);
    const blob = framed(new Uint8Array([0x1a, 0x80, 0x40, ...new Uint8Array(8_192)]));
    const messages = Array.from({ length: 100 }, () => dataFrame(1, blob));

    peer.say(headersFrame(1, CHAT), ...messages);
    await atRest(() => peer.heard.length);
    const untaken = roomGiven(peer, 1);
    go.resolve();

    await vi.waitFor(() => expect(roomGiven(peer, 1)).toBeGreaterThan(500_000));
    expect(untaken).toBe(0);
    peer.say(resetFrame(1, 8));
  });

  test("that goes beyond its window is reset", async () => {
    await using book = await openNotebook({
      async *chat(_, ctx) {
        yield await hang(ctx);
      },
    });
    await using peer = await connectFrames(book.server.address);
    const piece = dataFrame(1, new Uint8Array(16_384));

    peer.say(headersFrame(1, CHAT), ...Array.from({ length: 65 }, () => piece));

    await vi.waitFor(() =>
      expect(peer.heard.at(-1)).toMatchObject({ type: FRAME.reset, stream: 1 }),
    );
    expect(peer.heard.at(-1)?.payload.readUInt32BE()).toBe(3);
    expect(book.finished).toMatchObject([{ code: "canceled" }]);
  });

  test("that is answered before its end is told that nobody listens any more", async () => {
    await using book = await openNotebook({ sum: () => Promise.resolve({ count: 1 }) });
    await using peer = await connectFrames(book.server.address);

    peer.say(headersFrame(1, "notes.v1.NoteService/Sum"));

    await vi.waitFor(() =>
      expect(peer.heard.at(-1)).toMatchObject({ type: FRAME.reset, stream: 1 }),
    );
    expect(isAnswered(peer, 1)).toBe(true);
    expect(peer.heard.at(-1)?.payload.readUInt32BE()).toBe(0);
    peer.say(dataFrame(1, EMPTY), call(3, READ));
    await vi.waitFor(() => expect(isAnswered(peer, 3)).toBe(true));
    expect(peer.heard.filter(({ type }) => type === FRAME.reset)).toHaveLength(1);
  });

  test("of which the end comes with its refusal is not reset", async () => {
    await using book = await openNotebook({}, { guard });
    await using peer = await connectFrames(book.server.address);

    peer.say(call(1, "notes.v1.NoteService/Nothing"));

    await vi.waitFor(() => expect(isAnswered(peer, 1)).toBe(true));
    peer.say(call(3, READ));
    await vi.waitFor(() => expect(isAnswered(peer, 3)).toBe(true));
    expect(peer.heard.some(({ type }) => type === FRAME.reset)).toBe(false);
  });

  test("is read wherever the network has cut it", async () => {
    await using book = await openNotebook({}, { guard });
    await using peer = await connectFrames(book.server.address);
    await vi.waitFor(() => expect(peer.heard.length).toBe(3));
    const bytes = Buffer.concat([call(1, READ), call(3, READ)]);

    for (let at = 0; at < bytes.length; at += 1) {
      peer.say(bytes.subarray(at, at + 1));
      await new Promise(setImmediate);
    }

    await vi.waitFor(() => expect(isAnswered(peer, 3)).toBe(true));
    expect(isAnswered(peer, 1)).toBe(true);
  });
});

describe("a server that drains", () => {
  test("says up to which call it answers, and closes behind the last answer", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using book = await openNotebook({
      read: async (note) => {
        begun.resolve();
        await go.promise;
        return note;
      },
    });
    await using peer = await connectFrames(book.server.address);
    peer.say(call(1, READ));
    await begun.promise;

    const drained = book.server.drain();
    await vi.waitFor(() => expect(peer.heard.at(-1)?.type).toBe(FRAME.goAway));
    const { payload } = peer.heard.at(-1) ?? { payload: Buffer.alloc(0) };
    peer.say(call(3, READ));
    go.resolve();
    await drained;

    await vi.waitFor(() => expect(peer.isOver).toBe(true));
    expect([payload.readUInt32BE(), payload.readUInt32BE(4)]).toEqual([1, 0]);
    expect(isAnswered(peer, 1)).toBe(true);
    expect(peer.heard.some(({ stream }) => stream === 3)).toBe(false);
  });
});
