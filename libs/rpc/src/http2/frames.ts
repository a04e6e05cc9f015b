// The frames of HTTP/2, their flags, settings and errors (RFC 9113, sections 4, 6 and 7).

/** Types of frames (section 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames; which type has which is told in section 6. */
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** Names of settings (section 6.5.2). */
export const SETTING = {
  tableBytes: 1,
  push: 2,
  streamsMax: 3,
  streamWindow: 4,
  frameBytes: 5,
  headerListBytes: 6,
} as const;

/** Why a stream or a connection ends (section 7). */
export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

/** What a client says first (section 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The payload of a frame that has none, and what is empty elsewhere. */
export const NOTHING = Buffer.alloc(0);
/** Of length, type, flags and stream, before every payload (section 4.1). */
export const HEAD_BYTES = 9;
/** What a payload may have unless its receiver has said otherwise (section 6.5.2). */
export const FRAME_BYTES_DEFAULT = 16_384;
export const WINDOW_DEFAULT = 65_535;
export const WINDOW_MAX = 2 ** 31 - 1;

/** What ends a connection: its peer is told the code, people may read the text (section 5.4.1). */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** Writes what stands before a payload of so many bytes; returns where that begins. */
export function writeHead(
  out: Buffer,
  at: number,
  bytes: number,
  type: number,
  flags: number,
  stream: number,
): number {
  out[at] = bytes >>> 16;
  out[at + 1] = bytes >>> 8;
  out[at + 2] = bytes;
  out[at + 3] = type;
  out[at + 4] = flags;
  out[at + 5] = stream >>> 24;
  out[at + 6] = stream >>> 16;
  out[at + 7] = stream >>> 8;
  out[at + 8] = stream;
  return at + HEAD_BYTES;
}

/** 31 bits; the one before them is reserved and not looked at. */
export function read31(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & WINDOW_MAX;
}
