import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ERROR, FLAG, FRAME } from "../src/http2/frames.ts";
import {
  block,
  CALL,
  callOf,
  dataFrame,
  headersFrame,
  MESSAGE,
  numberFrame,
  pingFrame,
  settingsFrame,
} from "./call-frames.ts";
import { connectFrames, type FramePeer, frame } from "./frame-peer.ts";
import { type Notebook, openNotebook } from "./notebook.ts";

const MIB = 1024 * 1024;
const { endStream: END, endHeaders: WHOLE } = FLAG;
const NONE = Buffer.alloc(0);

/** A server in a process of its own. */
interface Victim extends AsyncDisposable {
  readonly address: string;
  /** What it holds, garbage left out. */
  heldBytes(): Promise<number>;
}

async function openVictim(): Promise<Victim> {
  const program = fork(join(import.meta.dirname, "notebook-program.ts"), {
    execArgv: ["--expose-gc"],
  });
  const [address] = await once(program, "message");
  return {
    address: String(address),
    async heldBytes() {
      program.send("held");
      const [bytes] = await once(program, "message");
      return Number(bytes);
    },
    async [Symbol.asyncDispose]() {
      const exit = once(program, "exit");
      program.disconnect();
      await exit;
    },
  };
}

const PIECE_BYTES = 65_536;
/** So often a server answers another peer, and reads nothing of the first, before it is said to have stopped. */
const ROUNDS = 50;

/** Says all that a server takes; resolves when it took all, takes no more, or has ended the connection. */
async function pour(address: string, peer: FramePeer, bytes: Buffer): Promise<void> {
  let taken = 0;
  const all = (async () => {
    for (; taken < bytes.length && !peer.isOver; taken += PIECE_BYTES) {
      await peer.said(bytes.subarray(taken, taken + PIECE_BYTES));
    }
    return true;
  })();
  await using other = await connectFrames(address);
  for (let round = 0, before = 0; round < ROUNDS; round += 1) {
    if (taken !== before) round = 0;
    before = taken;
    if (await Promise.race([all, other.synced()])) break;
  }
  // What has come in is also read by now.
  for (let round = 0; round < ROUNDS; round += 1) await other.synced();
}

/** The code with which the connection ends. */
async function endOf(peer: FramePeer): Promise<number> {
  const { payload } = await peer.hears(({ type }) => type === FRAME.goAway);
  return payload.readUInt32BE(4);
}

/** So many pieces in one. */
function times(count: number, piece: (nth: number) => readonly Buffer[]): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, nth) => piece(nth)).flat());
}

/** Some frames over and over. */
function repeated(bytes: number, ...frames: readonly Buffer[]): Buffer {
  const all = Buffer.concat(frames);
  return Buffer.alloc(bytes - (bytes % all.length), all);
}

/** Whether a server still answers calls. */
async function answers(book: Notebook): Promise<void> {
  await book.notes.write({ text: "well" });
  expect(book.lateErrors).toEqual([]);
}

describe("a peer is told to calm down who sends, on and on,", () => {
  const part = Buffer.concat([
    Buffer.of(0, 1),
    Buffer.from("a"),
    Buffer.of(100),
    Buffer.alloc(100, "b"),
  ]);
  test.each([
    [
      "parts of headers that do not end",
      Buffer.concat([
        headersFrame(1, CALL, 0),
        times(10_000, () => [frame(FRAME.continuation, 0, 1, part)]),
      ]),
    ],
    [
      "parts of headers that are empty",
      Buffer.concat([
        headersFrame(1, CALL, 0),
        times(10_000, () => [frame(FRAME.continuation, 0, 1, NONE)]),
      ]),
    ],
    [
      "DATA of nothing",
      Buffer.concat([headersFrame(1, callOf("Sum")), times(30_000, () => [dataFrame(1, NONE)])]),
    ],
    [
      "DATA that is padding",
      Buffer.concat([
        headersFrame(1, callOf("Sum")),
        times(30_000, () => [dataFrame(1, Buffer.of(1, 0), FLAG.padded)]),
      ]),
    ],
    ["SETTINGS", times(1_000, () => [settingsFrame([])])],
    ["SETTINGS that change all windows", times(1_000, (nth) => [settingsFrame([[4, nth]])])],
    ["PRIORITY", times(30_000, () => [frame(FRAME.priority, 0, 1, Buffer.alloc(5))])],
    ["frames that nobody knows", times(30_000, () => [frame(77, 0, 0, NONE)])],
    [
      "calls that it takes back",
      times(30_000, (nth) => [headersFrame(2 * nth + 1), numberFrame(FRAME.reset, 2 * nth + 1, 8)]),
    ],
    [
      "calls that it makes the server take back",
      times(30_000, (nth) => [
        headersFrame(2 * nth + 1, callOf("Sum")),
        numberFrame(FRAME.windowUpdate, 2 * nth + 1, 0),
      ]),
    ],
    ["calls that are malformed", times(30_000, (nth) => [headersFrame(2 * nth + 1, [["a", "b"]])])],
  ])("%s", async (_, flood) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    await peer.synced();

    peer.say(flood);

    expect(await endOf(peer)).toBe(ERROR.enhanceYourCalm);
    await answers(book);
  });
});

test.each([
  ["RST_STREAM", numberFrame(FRAME.reset, 1, 8)],
  ["DATA", dataFrame(1, MESSAGE)],
  ["an end", dataFrame(1, NONE, END)],
])(
  "a peer is told to calm down who sends %s for a call that is over, on and on",
  async (_, late) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    peer.say(headersFrame(1), dataFrame(1, MESSAGE, END));
    await peer.hears(({ flags, stream }) => stream === 1 && (flags & END) !== 0);

    peer.say(repeated(30_000 * late.length, late));

    expect(await endOf(peer)).toBe(ERROR.enhanceYourCalm);
  },
);

describe("a peer that never reads takes no more of the server than its calls by", () => {
  const noMethod = block(CALL.map((f) => (f[0] === ":path" ? ([":path", "/a/b"] as const) : f)));
  const good = block(CALL);
  const begins = (nth: number, headers: Buffer, flags: number): Buffer =>
    frame(FRAME.headers, flags, 2 * nth + 1, headers);
  test.each([
    ["PING", () => repeated(40 * MIB, pingFrame())],
    ["SETTINGS", () => repeated(40 * MIB, settingsFrame([]))],
    [
      "calls of what is not there",
      () => times(100_000, (nth) => [begins(nth, noMethod, WHOLE | END)]),
    ],
    [
      "calls that are answered",
      () =>
        times(200_000, (nth) => [begins(nth, good, WHOLE), dataFrame(2 * nth + 1, MESSAGE, END)]),
    ],
    [
      "PING beside a call that waits, and room that is no room",
      () =>
        Buffer.concat([
          headersFrame(1, callOf("List")),
          dataFrame(1, MESSAGE, END),
          repeated(40 * MIB, pingFrame(), numberFrame(FRAME.windowUpdate, 0, 1)),
        ]),
    ],
    [
      "answers without end, for which it has opened all windows",
      () =>
        Buffer.concat([
          settingsFrame([[4, 2 ** 31 - 1]]),
          numberFrame(FRAME.windowUpdate, 0, 2 ** 31 - 65_536),
          times(100, (nth) => [
            headersFrame(2 * nth + 1, callOf("List")),
            dataFrame(2 * nth + 1, MESSAGE, END),
          ]),
        ]),
    ],
  ])("%s", async (_, flood) => {
    await using victim = await openVictim();
    await using peer = await connectFrames(victim.address);
    await peer.synced();
    peer.pause();
    const before = await victim.heldBytes();

    await pour(victim.address, peer, flood());

    // 10,000 calls under way take 17, the messages of which one waits in each of 100 streams 10.
    expect((await victim.heldBytes()) - before).toBeLessThan(24 * MIB);
  });
});

test("a window of nothing holds a stream up, and no other", async () => {
  let given = 0;
  await using book = await openNotebook(
    {
      async *list() {
        for (;;) {
          given += 1;
          yield { text: "0123456789" };
        }
      },
    },
    { drainMs: 50 },
  );
  await using peer = await connectFrames(book.server.address, [[4, 0]]);

  peer.say(headersFrame(1, callOf("List")), dataFrame(1, MESSAGE, END));
  peer.say(headersFrame(3), dataFrame(3, MESSAGE, END));
  await peer.hears(({ type, stream }) => type === FRAME.headers && stream === 3);
  peer.say(numberFrame(FRAME.windowUpdate, 3, 100));
  await peer.hears(({ flags, stream }) => stream === 3 && (flags & END) !== 0);

  expect(given).toBeLessThan(5_000);
  expect(peer.heard.filter(({ type, stream }) => type === FRAME.data && stream === 1)).toEqual([]);
});

function chatMessage(text: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, 0, 0, text.length + 2, 0x0a, text.length]),
    Buffer.from(text),
  ]);
}

describe("headers", () => {
  test("that are too many are answered by 431, and the next call is not", async () => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    const value = Buffer.alloc(3_900, "v");
    const bomb = Buffer.concat([
      block(CALL),
      Buffer.from([0x40, 1, 0x61, 0x7f, 0xbd, 0x1d]),
      value,
      Buffer.alloc(10_000, 0xbe),
    ]);

    peer.say(frame(FRAME.headers, WHOLE | END, 1, bomb));
    peer.say(headersFrame(3), dataFrame(3, MESSAGE, END));
    await peer.hears(({ flags, stream }) => stream === 3 && (flags & END) !== 0);

    const lists = peer.heard.filter(({ type }) => type === FRAME.headers);
    expect(lists[0]).toMatchObject({ stream: 1, fields: [":status", "431"] });
    expect(lists.at(-1)).toMatchObject({ stream: 3, fields: ["grpc-status", "0"] });
  });
});

describe("what is no HTTP/2", () => {
  const heardOf = async (
    address: string,
    ...said: readonly (string | Buffer)[]
  ): Promise<string> => {
    const [host, port] = address.split(":");
    const socket = connect(Number(port), host).on("error", () => {});
    let heard = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard += text;
    });
    for (const text of said) socket.write(text);
    await once(socket, "close");
    return heard;
  };

  test("but HTTP/1 is answered in HTTP/1, also when more is said", async () => {
    await using book = await openNotebook();

    const heard = await heardOf(
      book.server.address,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n",
      "a".repeat(100_000),
      "b".repeat(100_000),
    );

    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("and no HTTP at all is cut", async () => {
    await using book = await openNotebook();

    expect(await heardOf(book.server.address, Buffer.from([0x16, 3, 1, 2, 0, 1]))).toBe("");
  });
});

test("whatever frames come, nothing else breaks", async () => {
  await using book = await openNotebook({}, { drainMs: 50 });
  const stream = fc.constantFrom(0, 1, 3, 5, 2);
  const anyFrame = fc
    .tuple(fc.nat({ max: 10 }), fc.nat({ max: 255 }), stream, fc.uint8Array({ maxLength: 30 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload));
  const aCall = fc
    .tuple(
      stream,
      fc.constantFrom("Read", "List", "Sum", "Chat"),
      fc.constantFrom(WHOLE, WHOLE | END),
    )
    .map(([id, method, flags]) => headersFrame(id, callOf(method), flags));
  const someData = fc
    .tuple(stream, fc.constantFrom(NONE, MESSAGE, chatMessage("a")), fc.constantFrom(0, END))
    .map(([id, payload, flags]) => dataFrame(id, payload, flags));
  const aNumber = fc
    .tuple(fc.constantFrom(FRAME.reset, FRAME.windowUpdate), stream, fc.nat({ max: 9 }))
    .map(([type, id, value]) => numberFrame(type, id, value));
  const aSetting = fc
    .tuple(fc.nat({ max: 7 }), fc.constantFrom(0, 1, 100, 16_384, 65_535))
    .map((setting) => settingsFrame([setting]));
  const frames = fc.array(fc.oneof(anyFrame, aCall, aCall, someData, someData, aNumber, aSetting), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(frames, async (frames) => {
      await using peer = await connectFrames(book.server.address);
      peer.say(...frames);
      peer.hangUp();
      await peer.ended;
    }),
    { numRuns: 300 },
  );

  await answers(book);
});
