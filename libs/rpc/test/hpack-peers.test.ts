import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eachFrame, type Frame, frame, settingsIn } from "../src/bench/wire.ts";
import { FLAG, FRAME } from "../src/http2/frames.ts";
import { HeaderDecoder } from "../src/http2/hpack-decoder.ts";
import { HeaderEncoder } from "../src/http2/hpack-encoder.ts";
import { blockOf } from "./block-of.ts";

// Node's own HTTP/2 is nghttp2, whose tables and Huffman code the oracle of ours are.

const PREFACE_BYTES = 24;
const TABLE_SETTING = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 0x20;

interface Peer extends AsyncDisposable {
  readonly session: ClientHttp2Session;
}

/** A client of Node on a socket whose other end a test speaks frame by frame; the settings are ours. */
async function open(
  settings: Buffer,
  clientTableBytes: number,
  take: (frame: Frame, socket: Socket) => void,
): Promise<Peer> {
  const server = createServer({ noDelay: true }, (socket) => {
    let greeted = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.write(frame(FRAME.settings, 0, 0, settings));
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (!greeted && rest.length < PREFACE_BYTES) return;
      if (!greeted) rest = rest.subarray(PREFACE_BYTES);
      greeted = true;
      rest = Buffer.from(eachFrame(rest, (each) => take(each, socket)));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`, {
    settings: { headerTableSize: clientTableBytes },
  });
  session.on("error", () => {});
  await once(session, "remoteSettings");
  return {
    session,
    async [Symbol.asyncDispose]() {
      session.destroy();
      await once(server.close(), "close");
    },
  };
}

function tableSetting(bytes: number): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(TABLE_SETTING);
  setting.writeUInt32BE(bytes, 2);
  return setting;
}

/** The part of the block that a frame of headers bears. */
function partOf({ kind, flags, payload }: Frame): Buffer {
  if (kind !== FRAME.headers) return payload;
  const padding = (flags & PADDED) === 0 ? 0 : 1 + (payload[0] as number);
  const start = Math.min(padding, 1) + ((flags & PRIORITY) === 0 ? 0 : 5);
  return payload.subarray(start, payload.length - Math.max(0, padding - 1));
}

type Pairs = Record<string, string>;

function pairsOf(list: readonly string[]): Pairs {
  const pairs: Pairs = {};
  for (let at = 0; at < list.length; at += 2) pairs[list[at] as string] = list[at + 1] as string;
  return pairs;
}

const name = fc.oneof(
  fc.constantFrom("x-request-id", "authorization", "user-agent", "grpc-timeout", "traceparent"),
  fc.stringMatching(/^x-[a-z0-9_.~-]{1,20}$/),
);
const value = fc.oneof(
  fc.constantFrom("trailers", "identity,deflate,gzip", "1000m"),
  fc.stringMatching(/^([!-~]([ -~]{0,80}[!-~])?)?$/),
  // Rare letters have long codes, which are worth it only among common ones.
  fc.stringMatching(/^a{60}[\t -~\u0080-\u00ff]{1,6}z$/),
);
const headers = fc.dictionary(name, value, { maxKeys: 8, noNullPrototype: true });
const tableBytes = fc.constantFrom(0, 60, 300, 4096, 65_536);

describe("the blocks of a client of Node", () => {
  test("are read as the client meant them, on one connection and with tables of any size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(headers, { minLength: 1, maxLength: 25 }), tableBytes, heardRight),
      { numRuns: 40 },
    );
  });

  test("are read in every letter that a client may write", async () => {
    const letters = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
    const allowed = letters.filter((letter) => /[\t -~\u0080-\u00ff]/.test(letter));

    await heardRight(
      allowed.map((letter) => ({ "x-letter": `${"a".repeat(60)}${letter}z` })),
      4096,
    );
  });
});

async function heardRight(lists: readonly Pairs[], limit: number): Promise<void> {
  const reader = new HeaderDecoder(limit, 65_536);
  const whole = Promise.withResolvers<void>();
  const heard: Pairs[] = [];
  let parts: Buffer[] = [];
  await using peer = await open(tableSetting(limit), 4096, (each) => {
    if (each.kind !== FRAME.headers && each.kind !== FRAME.continuation) return;
    parts.push(partOf(each));
    if ((each.flags & END_HEADERS) === 0) return;
    try {
      const list = reader.decode(Buffer.concat(parts));
      if (typeof list === "string") throw new Error(list);
      heard.push(pairsOf(list));
    } catch (error) {
      whole.reject(error);
    }
    parts = [];
    if (heard.length === lists.length) whole.resolve();
  });
  const own = { ":method": "POST", ":path": "/a.v1.B/C" };
  for (const list of lists) {
    peer.session.request({ ...own, ...list }, { endStream: true }).on("error", () => {});
  }
  await whole.promise;

  const expected = { ":scheme": "http", ":authority": expect.any(String), ...own };
  expect(heard).toEqual(lists.map((list) => ({ ...expected, ...list })));
}

describe("a client of Node", () => {
  test("reads what is written to it, with tables of any size that change in between", async () => {
    const step = fc.record({ list: headers, tableBytes: fc.option(tableBytes) });
    const steps = fc.array(step, { minLength: 1, maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(steps, tableBytes, async (steps, limit) => {
        const encoder = new HeaderEncoder(new Set(["grpc-timeout", "user-agent", "traceparent"]));
        const lists = steps.map(({ list }) => list);
        const waiting = lists.values();
        await using peer = await open(
          Buffer.alloc(0),
          limit,
          ({ kind, flags, ...each }, socket) => {
            if (kind === FRAME.settings && (flags & FLAG.ack) === 0) {
              const bytes = settingsIn(each.payload).get(TABLE_SETTING);
              if (bytes !== undefined) encoder.setTableBytes(bytes);
              socket.write(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
            } else if (kind === FRAME.headers) {
              const answer = [
                ":status",
                "200",
                ...Object.entries(waiting.next().value ?? {}).flat(),
              ];
              const block = blockOf(encoder, answer);
              socket.write(frame(FRAME.headers, END_HEADERS | END_STREAM, each.stream, block));
            }
          },
        );

        const heard: unknown[] = [];
        for (const { tableBytes } of steps) {
          if (tableBytes !== null) peer.session.settings({ headerTableSize: tableBytes });
          heard.push(await answerOf(peer.session));
        }

        expect(heard).toEqual(lists.map((list) => ({ ":status": 200, ...list })));
      }),
      { numRuns: 40 },
    );
  });
});

async function answerOf(session: ClientHttp2Session): Promise<unknown> {
  const stream = session.request({ ":path": "/" }, { endStream: true });
  const refused = once(stream, "error").then(([error]) => Promise.reject(error));
  const [answer] = await Promise.race([once(stream, "response"), refused]);
  stream.close(constants.NGHTTP2_NO_ERROR);
  refused.catch(() => {});
  return Object.fromEntries(Object.entries(answer as Pairs));
}
