import { FLAG, FRAME } from "../src/http2/frames.ts";
import { settingsPayload } from "../src/http2/settings.ts";
import { frame, number } from "./frame-peer.ts";

/** A setting: its name, and its value. */
export type Setting = readonly [name: number, value: number];

export function settingsFrame(settings: readonly Setting[], flags = 0, stream = 0): Buffer {
  return frame(FRAME.settings, flags, stream, settingsPayload(settings));
}

/** A frame of one number of 32 bits. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  return frame(type, 0, stream, number(value));
}

export function pingFrame(payload: Uint8Array = Buffer.alloc(8), flags = 0, stream = 0): Buffer {
  return frame(FRAME.ping, flags, stream, payload);
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** The headers of a call. */
export const CALL: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/notes.v1.NoteService/Read"],
  [":authority", "test"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];

/** The headers of a call of a method of the notebook. */
export function callOf(method: string, more: Fields = []): Fields {
  const path = [":path", `/notes.v1.NoteService/${method}`] as const;
  return [...CALL.map((field) => (field[0] === ":path" ? path : field)), ...more];
}

/** A header block of literals in plain text. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const rest: number[] = [];
  for (let left = bytes.length - 127; left >= 0; left >>>= 7) {
    rest.push(left < 128 ? left : (left & 127) | 128);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.of(Math.min(127, bytes.length), ...rest), bytes]);
}

/** A request's headers in one frame. */
export function headersFrame(
  stream: number,
  fields: Fields = CALL,
  flags: number = FLAG.endHeaders,
): Buffer {
  return frame(FRAME.headers, flags, stream, block(fields));
}

export function dataFrame(stream: number, payload: Uint8Array, flags = 0): Buffer {
  return frame(FRAME.data, flags, stream, payload);
}

/** An empty message, as gRPC frames it. */
export const MESSAGE = Buffer.alloc(5);
