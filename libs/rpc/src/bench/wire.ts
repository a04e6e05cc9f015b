// As much of HTTP/2 (RFC 9113) as a client needs that calls unary methods of our own server.

import {
  FLAG,
  FRAME,
  FRAME_BYTES_DEFAULT,
  HEAD_BYTES,
  PREFACE,
  read31,
  SETTING,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  writeHead,
} from "../http2/frames.ts";
import { SETTING_BYTES, settingsPayload } from "../http2/settings.ts";

/** A frame as it came. */
export interface Frame {
  readonly kind: number;
  readonly flags: number;
  /** 0: of the connection. */
  readonly stream: number;
  readonly payload: Buffer;
}

/** Calls back with each frame that is whole; returns the bytes behind the last one. */
export function eachFrame(bytes: Buffer, take: (frame: Frame) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + HEAD_BYTES, end);
    const stream = read31(bytes, at + 5);
    take({ kind: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, stream, payload });
    at = end;
  }
  return bytes.subarray(at);
}

/** A frame to send, of at most 16,384 bytes. */
export function frame(kind: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  bytes.set(payload, writeHead(bytes, 0, payload.length, kind, flags, stream));
  return bytes;
}

/** The frame that begins a call, with headers that `headerBlocks` made. */
export function headersFrame(stream: number, block: Buffer): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders, stream, block);
}

/** A piece of a request that a frame can bear, and how many bytes of it that is. */
export function dataFrame(stream: number, rest: Uint8Array, most: number): [Buffer, number] {
  const bytes = Math.min(rest.length, most, FRAME_BYTES_DEFAULT);
  const flags = bytes === rest.length ? FLAG.endStream : 0;
  return [frame(FRAME.data, flags, stream, rest.subarray(0, bytes)), bytes];
}

/** Lets the other side send so many bytes more. */
export function windowFrame(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return frame(FRAME.windowUpdate, 0, stream, payload);
}

/** What a client says first: its windows are wide open. */
export function preface(): Buffer {
  const settings = settingsPayload([
    [SETTING.push, 0],
    [SETTING.streamWindow, WINDOW_MAX],
  ]);
  return Buffer.concat([
    PREFACE,
    frame(FRAME.settings, 0, 0, settings),
    windowFrame(0, WINDOW_MAX - WINDOW_DEFAULT),
  ]);
}

/** The settings that a frame bears. */
export function settingsIn(payload: Buffer): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (let at = 0; at + SETTING_BYTES <= payload.length; at += SETTING_BYTES) {
    found.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }
  return found;
}

/**
 * The headers of calls on one connection, in the order in which they are sent: the first ones let the server remember
 * what all have in common, as clients do.
 */
export function headerBlocks(authority: string, token?: string): (path: string) => Buffer {
  const remembered: readonly Buffer[] = [
    Buffer.concat([Buffer.of(0x41), text(authority)]),
    Buffer.concat([Buffer.of(0x5f), text("application/grpc")]),
    Buffer.concat([Buffer.of(0x40), text("te"), text("trailers")]),
    ...(token === undefined ? [] : [Buffer.concat([Buffer.of(0x57), text(`Bearer ${token}`)])]),
  ];
  // What is remembered last stands at 62.
  const again = Buffer.from(remembered.map((_, nth) => 0x80 | (61 + remembered.length - nth)));
  const known = new Map<string, Buffer>();
  // POST, http, and a path that is not remembered.
  const begin = (path: string) => Buffer.concat([Buffer.from([0x83, 0x86, 0x04]), text(path)]);
  let isFirst = true;
  return (path) => {
    if (isFirst) {
      isFirst = false;
      return Buffer.concat([begin(path), ...remembered]);
    }
    const block = known.get(path) ?? Buffer.concat([begin(path), again]);
    known.set(path, block);
    return block;
  };
}

/** A text that is not compressed. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const prefix = bytes.length < 127 ? [bytes.length] : [127, ...varint(bytes.length - 127)];
  return Buffer.concat([Buffer.from(prefix), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}
