// As much of HTTP/2 (RFC 9113) and of its header compression (RFC 7541) as a client needs that calls
// unary methods of our own server.

/** The kinds of frames that matter here. */
export const KIND = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const ACK = 1;
const END_HEADERS = 4;

/** The settings that matter here. */
export const SETTING = { tableBytes: 1, push: 2, callsMax: 3, window: 4 } as const;

export const WINDOW_MAX = 2 ** 31 - 1;
export const WINDOW_DEFAULT = 65_535;
const HEAD_BYTES = 9;
const FRAME_BYTES_MAX = 16_384;
const SETTING_BYTES = 6;

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
    const stream = bytes.readUInt32BE(at + 5) & WINDOW_MAX;
    take({ kind: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, stream, payload });
    at = end;
  }
  return bytes.subarray(at);
}

/** A frame to send, of at most 16,384 bytes. */
export function frame(kind: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = kind;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** The frame that begins a call, with headers that `headerBlocks` made. */
export function headersFrame(stream: number, block: Buffer): Buffer {
  return frame(KIND.headers, END_HEADERS, stream, block);
}

/** A piece of a request that a frame can bear, and how many bytes of it that is. */
export function dataFrame(stream: number, rest: Uint8Array, most: number): [Buffer, number] {
  const bytes = Math.min(rest.length, most, FRAME_BYTES_MAX);
  const flags = bytes === rest.length ? END_STREAM : 0;
  return [frame(KIND.data, flags, stream, rest.subarray(0, bytes)), bytes];
}

/** Lets the other side send so many bytes more. */
export function windowFrame(stream: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return frame(KIND.window, 0, stream, payload);
}

/** What a client says first: its windows are wide open, and headers are not to build on earlier ones. */
export function preface(): Buffer {
  const settings: readonly (readonly [number, number])[] = [
    [SETTING.tableBytes, 0],
    [SETTING.push, 0],
    [SETTING.window, WINDOW_MAX],
  ];
  const payload = Buffer.alloc(settings.length * SETTING_BYTES);
  settings.forEach(([name, value], nth) => {
    payload.writeUInt16BE(name, nth * SETTING_BYTES);
    payload.writeUInt32BE(value, nth * SETTING_BYTES + 2);
  });
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(KIND.settings, 0, 0, payload),
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
 * The headers of calls, in the order in which they are sent: the first ones let the server remember what
 * all have in common, as clients do.
 */
export function headerBlocks(authority: string, token: string): (path: string) => Buffer {
  const remembered: readonly Buffer[] = [
    Buffer.concat([Buffer.of(0x41), text(authority)]),
    Buffer.concat([Buffer.of(0x5f), text("application/grpc")]),
    Buffer.concat([Buffer.of(0x40), text("te"), text("trailers")]),
    Buffer.concat([Buffer.of(0x57), text(`Bearer ${token}`)]),
  ];
  const again = Buffer.from([0xc1, 0xc0, 0xbf, 0xbe]);
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

/** `grpc-status`, as the code of the compression has it. */
const STATUS_NAME = Buffer.from("9acac8b21234da8f", "hex");

/** The status in headers that do not build on earlier ones; undefined when there is none. */
export function grpcStatus(block: Buffer): string | undefined {
  const at = block.indexOf(STATUS_NAME);
  if (at === -1) return undefined;
  // Digits would not be shorter in the code, so they stand there as they are.
  const begin = at + STATUS_NAME.length + 1;
  return block.toString("latin1", begin, begin + (block[begin - 1] ?? 0));
}
