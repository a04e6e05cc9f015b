import { describe, expect, test } from "vitest";
import { ERROR, FLAG, FRAME, PREFACE } from "../src/http2/frames.ts";
import {
  block,
  CALL,
  callOf,
  dataFrame,
  type Fields,
  headersFrame,
  MESSAGE,
  numberFrame,
  pingFrame,
  settingsFrame,
} from "./call-frames.ts";
import { connectFrames, type FramePeer, frame } from "./frame-peer.ts";
import { openNotebook } from "./notebook.ts";

// What a peer may not do, in the order of RFC 9113, and how it ends: the stream, or the connection.

const { endStream: END, endHeaders: WHOLE, padded: PADDED, priority: PRIORITY, ack: ACK } = FLAG;
const { headers, priority, reset, settings, pushPromise, ping } = FRAME;
const { goAway, windowUpdate, continuation } = FRAME;
const { protocol, flowControl, streamClosed, frameSize, refused, compression } = ERROR;
const NONE = Buffer.alloc(0);
const WINDOW_MAX = 2 ** 31 - 1;

/** A call that waits for its caller. */
const WAITING = callOf("Sum");
/** A call that is over. */
const DONE = [headersFrame(1), dataFrame(1, MESSAGE, END)];

type Case = readonly [title: string, code: number, frames: readonly Buffer[]];

/** The code with which the connection ends. */
async function endOf(peer: FramePeer): Promise<number> {
  const { payload } = await peer.hears(({ type }) => type === goAway);
  await peer.ended;
  return payload.readUInt32BE(4);
}

/** The code with which a stream ends, while the connection goes on. */
async function resetOf(peer: FramePeer, stream: number): Promise<number> {
  await peer.synced();
  const heard = await peer.hears((each) => each.type === reset && each.stream === stream);
  return heard.payload.readUInt32BE();
}

async function answered(peer: FramePeer, stream: number): Promise<void> {
  await peer.hears((each) => each.stream === stream && (each.flags & END) !== 0);
}

describe("the connection ends with", () => {
  const cases: readonly Case[] = [
    ["3.4: first frame is no SETTINGS", protocol, [PREFACE, pingFrame()]],
    ["3.4: first frame is an ack", protocol, [PREFACE, settingsFrame([], ACK)]],
  ];

  test.each(cases)("%s: %i", async (_, code, frames) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address, [], NONE);

    peer.say(...frames);

    expect(await endOf(peer)).toBe(code);
  });

  const later: readonly Case[] = [
    ["4.2: a frame above the limit", frameSize, [dataFrame(1, Buffer.alloc(16_385))]],
    ["4.2: any frame above the limit", frameSize, [frame(77, 0, 0, Buffer.alloc(20_000))]],
    ["4.3: headers that cannot be read", compression, [frame(headers, WHOLE, 1, Buffer.of(0x80))]],
    [
      "4.3: trailers that cannot be read",
      compression,
      [headersFrame(1, WAITING), frame(headers, WHOLE | END, 1, Buffer.of(0xff))],
    ],
    ["5.1: DATA of an idle stream", protocol, [dataFrame(1, MESSAGE)]],
    ["5.1: RST_STREAM of an idle stream", protocol, [numberFrame(reset, 1, 8)]],
    ["5.1: WINDOW_UPDATE of an idle stream", protocol, [numberFrame(windowUpdate, 1, 8)]],
    ["5.1: CONTINUATION of an idle stream", protocol, [frame(continuation, WHOLE, 1, NONE)]],
    ["5.1.1: a stream that is even", protocol, [headersFrame(2)]],
    ["5.1.1: DATA of a stream that is even", protocol, [dataFrame(2, MESSAGE)]],
    ["5.1: HEADERS of a closed stream", streamClosed, [...DONE, headersFrame(3), headersFrame(1)]],
    ["6.1: DATA of stream 0", protocol, [dataFrame(0, MESSAGE)]],
    [
      "6.1: padding that is all of DATA",
      protocol,
      [headersFrame(1, WAITING), dataFrame(1, Buffer.of(5, 0, 0, 0, 0), PADDED)],
    ],
    [
      "6.1: DATA with padding and nothing in it",
      protocol,
      [headersFrame(1, WAITING), dataFrame(1, NONE, PADDED)],
    ],
    ["6.2: HEADERS of stream 0", protocol, [headersFrame(0)]],
    [
      "6.2: padding that is more than the headers",
      protocol,
      [frame(headers, WHOLE | PADDED, 1, Buffer.concat([Buffer.of(200), block(CALL)]))],
    ],
    [
      "6.2: too little for a priority",
      protocol,
      [frame(headers, WHOLE | PRIORITY, 1, Buffer.of(0))],
    ],
    ["6.3: PRIORITY of stream 0", protocol, [frame(priority, 0, 0, Buffer.alloc(5))]],
    ["6.4: RST_STREAM of stream 0", protocol, [numberFrame(reset, 0, 8)]],
    [
      "6.4: RST_STREAM of 3 bytes",
      frameSize,
      [headersFrame(1, WAITING), frame(reset, 0, 1, Buffer.alloc(3))],
    ],
    ["6.5: SETTINGS of a stream", protocol, [settingsFrame([], 0, 1)]],
    ["6.5: SETTINGS of 5 bytes", frameSize, [frame(settings, 0, 0, Buffer.alloc(5))]],
    ["6.5: an ack that says something", frameSize, [settingsFrame([[4, 1]], ACK)]],
    ["6.5.2: ENABLE_PUSH of 2", protocol, [settingsFrame([[2, 2]])]],
    ["6.5.2: INITIAL_WINDOW_SIZE above all", flowControl, [settingsFrame([[4, WINDOW_MAX + 1]])]],
    ["6.5.2: MAX_FRAME_SIZE of 16,383", protocol, [settingsFrame([[5, 16_383]])]],
    ["6.5.2: MAX_FRAME_SIZE of 2 ** 24", protocol, [settingsFrame([[5, 2 ** 24]])]],
    ["6.6: PUSH_PROMISE", protocol, [frame(pushPromise, WHOLE, 1, Buffer.alloc(4))]],
    ["6.7: PING of a stream", protocol, [pingFrame(Buffer.alloc(8), 0, 1)]],
    ["6.7: PING of 7 bytes", frameSize, [pingFrame(Buffer.alloc(7))]],
    ["6.8: GOAWAY of a stream", protocol, [frame(goAway, 0, 1, Buffer.alloc(8))]],
    ["6.8: GOAWAY of 7 bytes", frameSize, [frame(goAway, 0, 0, Buffer.alloc(7))]],
    ["6.9: WINDOW_UPDATE by 0", protocol, [numberFrame(windowUpdate, 0, 0)]],
    ["6.9: WINDOW_UPDATE of 3 bytes", frameSize, [frame(windowUpdate, 0, 0, Buffer.alloc(3))]],
    ["6.9.1: a window above all", flowControl, [numberFrame(windowUpdate, 0, WINDOW_MAX)]],
    [
      "6.9.2: windows of streams above all by SETTINGS",
      flowControl,
      [
        headersFrame(1, WAITING),
        numberFrame(windowUpdate, 1, WINDOW_MAX - 65_535),
        settingsFrame([[4, 65_536]]),
      ],
    ],
    ["6.10: CONTINUATION of stream 0", protocol, [frame(continuation, WHOLE, 0, NONE)]],
    [
      "6.10: CONTINUATION of headers that were whole",
      protocol,
      [headersFrame(1, WAITING), frame(continuation, WHOLE, 1, NONE)],
    ],
    ...(
      [
        ["DATA", dataFrame(1, MESSAGE)],
        ["HEADERS", headersFrame(3)],
        ["PRIORITY", frame(priority, 0, 1, Buffer.alloc(5))],
        ["PING", pingFrame()],
        ["SETTINGS", settingsFrame([])],
        ["an unknown frame", frame(77, 0, 0, NONE)],
        ["CONTINUATION of another stream", frame(continuation, WHOLE, 3, NONE)],
      ] as const
    ).map(
      ([what, between]): Case => [
        `6.10: ${what} within headers`,
        protocol,
        [headersFrame(1, CALL, 0), between],
      ],
    ),
  ];

  test.each(later)("%s: %i", async (_, code, frames) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    await peer.synced();

    // Each by itself, since those in front may have to be answered first.
    for (const each of frames) {
      if (each === frames.at(-1) && frames.includes(DONE[1] as Buffer)) await answered(peer, 1);
      peer.say(each);
    }

    expect(await endOf(peer)).toBe(code);
    expect(book.lateErrors).toEqual([]);
  });
});

describe("only the stream ends with", () => {
  const without = (name: string): Fields => CALL.filter((field) => field[0] !== name);
  const malformed: readonly (readonly [title: string, fields: Fields])[] = [
    ["8.2: a name in upper case", callOf("Read", [["X-a", "b"]])],
    ["8.2: a name with a blank", callOf("Read", [["x a", "b"]])],
    ["8.2: a value with a line break", callOf("Read", [["x-a", "b\nc"]])],
    ["8.2: a value with a blank behind", callOf("Read", [["x-a", "b "]])],
    ["8.2.2: connection", callOf("Read", [["connection", "close"]])],
    ["8.2.2: transfer-encoding", callOf("Read", [["transfer-encoding", "chunked"]])],
    ["8.2.2: te of something else", [...without("te"), ["te", "gzip"]]],
    ["8.3: an unknown pseudo-header", [[":future", "a"], ...CALL]],
    ["8.3: a pseudo-header of answers", [[":status", "200"], ...CALL]],
    ["8.3: a pseudo-header behind others", [...without(":path"), [":path", "/"]]],
    ["8.3.1: no :method", without(":method")],
    ["8.3.1: no :scheme", without(":scheme")],
    ["8.3.1: no :path", without(":path")],
    ["8.3.1: an empty :path", [...without(":path").slice(0, 2), [":path", ""]]],
    ["8.3.1: two of :method", [[":method", "POST"], ...CALL]],
    ["8.3.1: two of :path", [[":path", "/"], ...CALL]],
    ["8.5: CONNECT with a :path", [[":method", "CONNECT"], ...without(":method")]],
    [
      "8.1.1: two lengths",
      callOf("Read", [
        ["content-length", "5"],
        ["content-length", "6"],
      ]),
    ],
    ["8.1.1: a length that is no number", callOf("Read", [["content-length", "+5"]])],
  ];

  test.each(malformed)("%s", async (_, fields) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);

    peer.say(headersFrame(1, fields), headersFrame(3), dataFrame(3, MESSAGE, END));

    expect(await resetOf(peer, 1)).toBe(protocol);
    await answered(peer, 3);
    expect(book.finished).toHaveLength(1);
  });

  const open = headersFrame(1, WAITING);
  const withLength = (bytes: number) =>
    headersFrame(1, [...WAITING, ["content-length", String(bytes)]]);
  const cases: readonly Case[] = [
    [
      "5.1: DATA behind the end of a request",
      streamClosed,
      [headersFrame(1, WAITING), dataFrame(1, NONE, END), dataFrame(1, MESSAGE)],
    ],
    ["5.1: HEADERS behind the end", streamClosed, [open, dataFrame(1, NONE, END), headersFrame(1)]],
    ["6.9: WINDOW_UPDATE by 0", protocol, [open, numberFrame(windowUpdate, 1, 0)]],
    ["6.9.1: a window above all", flowControl, [open, numberFrame(windowUpdate, 1, WINDOW_MAX)]],
    ["8.1: trailers that are not the end", protocol, [open, headersFrame(1, [["a", "b"]])]],
    [
      "8.1: trailers with a pseudo-header",
      protocol,
      [open, headersFrame(1, [[":path", "/"]], WHOLE | END)],
    ],
    ["8.1: malformed trailers", protocol, [open, headersFrame(1, [["A", "b"]], WHOLE | END)]],
    ["8.1.1: more than its length", protocol, [withLength(4), dataFrame(1, MESSAGE)]],
    ["8.1.1: less than its length", protocol, [withLength(6), dataFrame(1, MESSAGE, END)]],
    [
      "8.1.1: less than its length, and trailers",
      protocol,
      [withLength(6), dataFrame(1, MESSAGE), headersFrame(1, [["a", "b"]], WHOLE | END)],
    ],
    [
      "8.1.1: nothing, where it has a length",
      protocol,
      [headersFrame(1, [...WAITING, ["content-length", "5"]], WHOLE | END)],
    ],
  ];

  test.each(cases)("%s: %i", async (_, code, frames) => {
    // No answer, so that it is the rule that ends the stream.
    const never = () => new Promise<never>(() => {});
    await using book = await openNotebook({ sum: never }, { drainMs: 50 });
    await using peer = await connectFrames(book.server.address);

    peer.say(...frames);

    expect(await resetOf(peer, 1)).toBe(code);
    peer.say(headersFrame(3), dataFrame(3, MESSAGE, END));
    await answered(peer, 3);
  });
});

describe("a peer may", () => {
  const whole = block(CALL);
  const halves = [whole.subarray(0, 10), whole.subarray(10)] as const;
  const cases: readonly (readonly [title: string, frames: readonly Buffer[]])[] = [
    ["4.2: send frames of 16,384 bytes", [frame(77, 0, 0, Buffer.alloc(16_384)), ...DONE]],
    ["5.5: send frames that nobody knows", [frame(77, 0xff, 9, Buffer.alloc(9)), ...DONE]],
    ["4.1: set flags that a frame has not", [pingFrame(Buffer.alloc(8), 0xfe), ...DONE]],
    ["4.1: set the reserved bit", [headersFrame(1), dataFrame(1 + 2 ** 31, MESSAGE, END)]],
    ["6.5.2: send settings that nobody knows", [settingsFrame([[0xffff, 1]]), ...DONE]],
    ["6.5: send no settings at all", [settingsFrame([]), ...DONE]],
    ["6.3: send the priority of any stream", [frame(priority, 0, 99, Buffer.alloc(5)), ...DONE]],
    [
      "6.1: pad data",
      [
        headersFrame(1),
        dataFrame(1, Buffer.concat([Buffer.of(3), MESSAGE, Buffer.alloc(3)]), PADDED | END),
      ],
    ],
    [
      "6.2: pad headers and give them a priority",
      [
        frame(
          headers,
          WHOLE | PADDED | PRIORITY,
          1,
          Buffer.concat([Buffer.of(2), Buffer.alloc(5), whole, Buffer.alloc(2)]),
        ),
        dataFrame(1, MESSAGE, END),
      ],
    ],
    [
      "6.10: cut headers, also into nothing",
      [
        frame(headers, 0, 1, halves[0]),
        frame(continuation, 0, 1, NONE),
        frame(continuation, WHOLE, 1, halves[1]),
        dataFrame(1, MESSAGE, END),
      ],
    ],
    [
      "6.10: end the stream with headers that are cut",
      [
        headersFrame(1),
        dataFrame(1, MESSAGE),
        frame(headers, END, 1, NONE),
        frame(continuation, WHOLE, 1, NONE),
      ],
    ],
    [
      "8.1: end with trailers",
      [headersFrame(1), dataFrame(1, MESSAGE), headersFrame(1, [["a", "b"]], WHOLE | END)],
    ],
    [
      "6.1: send DATA of nothing",
      [headersFrame(1), dataFrame(1, NONE), dataFrame(1, MESSAGE, END)],
    ],
    [
      "8.1.1: say how long its request is",
      [headersFrame(1, [...CALL, ["content-length", "5"]]), DONE[1] as Buffer],
    ],
    [
      "5.1.1: leave out numbers of streams",
      [
        headersFrame(7),
        dataFrame(7, MESSAGE, END),
        headersFrame(1001),
        dataFrame(1001, MESSAGE, END),
      ],
    ],
  ];

  test.each(cases)("%s", async (_, frames) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);

    peer.say(...frames);

    const last = await peer.hears(({ type, flags }) => type === headers && (flags & END) !== 0);
    await peer.synced();
    expect(peer.heard.filter(({ type }) => type === goAway || type === reset)).toEqual([]);
    expect(last.fields).toEqual(["grpc-status", "0"]);
  });

  test.each([
    ["WINDOW_UPDATE", numberFrame(windowUpdate, 1, 5)],
    ["RST_STREAM", numberFrame(reset, 1, 8)],
    ["PRIORITY", frame(priority, 0, 1, Buffer.alloc(5))],
  ])("5.1: send %s for a stream that is over", async (_, late) => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    peer.say(...DONE);
    await answered(peer, 1);

    peer.say(late);

    await peer.synced();
    expect(peer.heard.filter(({ type }) => type === goAway || type === reset)).toEqual([]);
  });

  test("5.1: not send DATA for a stream that is over", async () => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    peer.say(...DONE);
    await answered(peer, 1);

    peer.say(dataFrame(1, MESSAGE));

    expect(await resetOf(peer, 1)).toBe(streamClosed);
  });

  test("5.1: not know yet that its stream is over, whatever it sends", async () => {
    await using book = await openNotebook();
    await using peer = await connectFrames(book.server.address);
    peer.say(headersFrame(1, callOf("None")));
    await peer.hears(({ type, stream }) => type === reset && stream === 1);

    peer.say(dataFrame(1, MESSAGE), headersFrame(1, [["a", "b"]], WHOLE | END));
    peer.say(numberFrame(windowUpdate, 1, 5), numberFrame(reset, 1, 8));

    await peer.synced();
    expect(peer.heard.filter(({ type }) => type === goAway || type === reset)).toHaveLength(1);
  });
});

test("6.8: a peer that has said nothing yet is told that the server goes", async () => {
  await using book = await openNotebook();
  await using peer = await connectFrames(book.server.address, [], NONE);
  await using later = await connectFrames(book.server.address);
  // Connections are taken in the order in which they came.
  await later.synced();

  const drained = book.server.drain();

  expect((await peer.hears(({ type }) => type === goAway)).payload.readUInt32BE(4)).toBe(0);
  await drained;
});

test("6.5.3: settings are acknowledged in the order in which they came", async () => {
  await using book = await openNotebook();
  await using peer = await connectFrames(book.server.address);

  peer.say(settingsFrame([[4, 1]]), pingFrame(), settingsFrame([[4, 2]]));
  await peer.synced();

  const acks = peer.heard.filter(({ flags, type }) => type !== headers && (flags & ACK) !== 0);
  expect(acks.map(({ type }) => type)).toEqual([settings, settings, ping, settings, ping]);
});

test("6.7: a ping comes back with what it bore", async () => {
  await using book = await openNotebook();
  await using peer = await connectFrames(book.server.address);

  peer.say(pingFrame(Buffer.from("12345678")));

  expect(String((await peer.hears(({ type }) => type === ping)).payload)).toBe("12345678");
});

test("5.1.2: more streams than the server lets be open are refused, and no others", async () => {
  const never = () => new Promise<never>(() => {});
  await using book = await openNotebook({ sum: never }, { drainMs: 50 });
  await using peer = await connectFrames(book.server.address);
  const { payload } = await peer.hears(({ type, flags }) => type === settings && flags === 0);
  const most = settingOf(payload, 3) as number;

  const ids = Array.from({ length: most + 2 }, (_, nth) => 2 * nth + 1);
  peer.say(...ids.map((id) => headersFrame(id, WAITING)));
  await peer.synced();

  const lost = peer.heard.filter(({ type }) => type === reset);
  expect(lost.map(({ stream }) => stream)).toEqual(ids.slice(-2));
  expect(lost.map(({ payload }) => payload.readUInt32BE())).toEqual([refused, refused]);
});

function settingOf(payload: Buffer, name: number): number | undefined {
  for (let at = 0; at < payload.length; at += 6) {
    if (payload.readUInt16BE(at) === name) return payload.readUInt32BE(at + 2);
  }
  return undefined;
}
