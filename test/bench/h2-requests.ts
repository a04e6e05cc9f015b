import { framed } from "@bourse/rpc/bench";

// Requests of gRPC as HTTP/2 frames (RFC 9113), their headers in HPACK (RFC 7541).

/** What every request of a connection says. */
export interface RequestHead {
  readonly authority: string;
  readonly path: string;
  readonly token?: string | undefined;
}

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
};
/** Flags: the last frame of a stream, the whole of its headers, an answer to SETTINGS or PING. */
export const END_STREAM = 1;
const END_HEADERS = 4;
export const ACK = 1;
/** Of a frame's header. */
export const HEADER_BYTES = 9;

const INITIAL_WINDOW_SIZE = 4;
const WINDOW_MAX = 2 ** 31 - 1;
const WINDOW_USUAL = 65_535;

/** What a client begins with: whatever is answered may come at once. */
export function preface(): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(INITIAL_WINDOW_SIZE);
  setting.writeUInt32BE(WINDOW_MAX, 2);
  const widen = Buffer.alloc(4);
  widen.writeUInt32BE(WINDOW_MAX - WINDOW_USUAL);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(FRAME.SETTINGS, 0, 0, setting),
    frame(FRAME.WINDOW_UPDATE, 0, 0, widen),
  ]);
}

/** A frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Writes the requests of one connection. */
export interface Requests {
  /** A request on a stream: the first one says its headers, the others that they are the same. */
  request(stream: number, message: Uint8Array): Buffer;
}

/** Names that everybody knows, by their places in HPACK's table. */
const STATIC = { AUTHORITY: 1, POST: 3, PATH: 4, HTTP: 6, AUTHORIZATION: 23, CONTENT_TYPE: 31 };
/** Where the latest header stands that was said. */
const LATEST = 62;

/** Requests that differ in their messages only. */
export function requestsTo({ authority, path, token }: RequestHead): Requests {
  const said = [
    named(STATIC.AUTHORITY, authority),
    named(STATIC.PATH, path),
    named(STATIC.CONTENT_TYPE, "application/grpc"),
    Buffer.concat([Buffer.of(KEPT), text("te"), text("trailers")]),
    ...(token === undefined ? [] : [named(STATIC.AUTHORIZATION, `Bearer ${token}`)]),
  ];
  const begin = Buffer.of(indexed(STATIC.POST), indexed(STATIC.HTTP));
  const again = Buffer.concat([
    begin,
    Buffer.from(said.map((_, nth) => indexed(LATEST + said.length - 1 - nth))),
  ]);
  let head = Buffer.concat([begin, ...said]);
  return {
    request(stream, message) {
      const body = framed(message);
      const bytes = Buffer.concat([
        frame(FRAME.HEADERS, END_HEADERS, stream, head),
        frame(FRAME.DATA, END_STREAM, stream, body),
      ]);
      head = again;
      return bytes;
    },
  };
}

/** A header that is kept in the table from then on. */
const KEPT = 0x40;

function named(name: number, value: string): Buffer {
  return Buffer.concat([Buffer.of(KEPT | name), text(value)]);
}

function indexed(place: number): number {
  return 0x80 | place;
}

const LENGTH_MAX = 127;

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length: number[] = [Math.min(bytes.length, LENGTH_MAX)];
  if (bytes.length >= LENGTH_MAX) {
    let rest = bytes.length - LENGTH_MAX;
    for (; rest > LENGTH_MAX; rest >>>= 7) length.push((rest & LENGTH_MAX) | 0x80);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
