import {
  ConnectionError,
  ERROR,
  FLAG,
  FRAME,
  HEAD_BYTES,
  NOTHING,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  writeHead,
} from "./frames.ts";
import { blockBytesMax, HeaderEncoder } from "./hpack-encoder.ts";
import type { Output } from "./output.ts";
import type { Fields } from "./request-head.ts";
import {
  CONNECTION_WINDOW,
  INITIAL_SETTINGS,
  OUR_SETTINGS,
  type PeerSettings,
} from "./settings.ts";

/** Headers of answers whose values are few. */
const RECURRING: ReadonlySet<string> = new Set([
  ":status",
  "content-type",
  "grpc-status",
  "grpc-accept-encoding",
]);
/** A frame of one answer holds up those of others for no more than this. */
const PIECE_BYTES_MAX = 16_384;

/** A stream that has bytes to send. */
export interface Pending {
  /** Sends a piece of at most so many bytes. */
  sendPiece(most: number): void;
  /** Whether it would send more. */
  readonly isSendable: boolean;
}

/** Writes the frames of a connection: those of streams as their windows and that of the connection let it. */
export class Sender {
  peer: PeerSettings = INITIAL_SETTINGS;
  readonly #output: Output;
  readonly #encoder = new HeaderEncoder(RECURRING);
  /** What the peer takes of all streams together (RFC 9113, section 6.9). */
  #window = WINDOW_DEFAULT;
  /** Streams that could send but for the connection, in the order of their turns. */
  readonly #pending = new Set<Pending>();

  constructor(output: Output) {
    this.#output = output;
  }

  /** How many bytes of a stream may be sent at once; 0: its turn comes later. */
  get roomBytes(): number {
    if (this.#pending.size > 0 || this.#output.isCongested) return 0;
    return this.#pieceBytes;
  }

  get #pieceBytes(): number {
    return Math.min(this.#window, PIECE_BYTES_MAX);
  }

  /** Our part of the preface (section 3.4), and as much room for requests as we give. */
  greet(): void {
    this.#frame(FRAME.settings, 0, 0, OUR_SETTINGS);
    this.windowUpdate(0, CONNECTION_WINDOW - WINDOW_DEFAULT);
  }

  /** Takes the peer's settings over and says so. */
  adopt(settings: PeerSettings): void {
    this.#encoder.setTableBytes(settings.tableBytes);
    this.peer = settings;
    this.#frame(FRAME.settings, FLAG.ack, 0, NOTHING);
  }

  /** Sends response headers or trailers. */
  headers(stream: number, fields: Fields, isLast: boolean): void {
    const output = this.#output;
    const at = output.room(HEAD_BYTES + blockBytesMax(fields));
    const begin = at + HEAD_BYTES;
    const end = this.#encoder.write(fields, output.slab, begin);
    const flags = isLast ? FLAG.endStream : 0;
    if (end - begin <= this.peer.frameBytes) {
      writeHead(output.slab, at, end - begin, FRAME.headers, flags | FLAG.endHeaders, stream);
      output.advance(end);
    } else {
      this.#longHeaders(stream, flags, Buffer.from(output.slab.subarray(begin, end)));
    }
  }

  #longHeaders(stream: number, flags: number, block: Buffer): void {
    const most = this.peer.frameBytes;
    for (let at = 0; at < block.length; at += most) {
      const part = block.subarray(at, at + most);
      const own = at === 0 ? flags : 0;
      const last = at + most >= block.length ? FLAG.endHeaders : 0;
      this.#frame(at === 0 ? FRAME.headers : FRAME.continuation, own | last, stream, part);
    }
  }

  /** Sends bytes of a stream, in two parts, as one frame. There must be room for them. */
  data(stream: number, head: Uint8Array, body: Uint8Array): void {
    const bytes = head.length + body.length;
    const at = this.#output.frame(FRAME.data, 0, stream, bytes);
    this.#output.slab.set(head, at);
    this.#output.slab.set(body, at + head.length);
    this.#window -= bytes;
  }

  /** Gives a stream its turn when there is room. */
  enlist(stream: Pending): void {
    this.#pending.add(stream);
  }

  /** Takes a stream out that has ended. */
  delist(stream: Pending): void {
    this.#pending.delete(stream);
  }

  /** Sends what there is room for: a piece of each stream in turn. */
  pump(): void {
    for (const stream of this.#pending) {
      const most = this.#pieceBytes;
      if (most === 0 || this.#output.isCongested) return;
      this.#pending.delete(stream);
      stream.sendPiece(most);
      if (stream.isSendable) this.#pending.add(stream);
    }
  }

  /** The peer takes so many bytes more of all streams together. */
  widen(bytes: number): void {
    this.#window += bytes;
    if (this.#window > WINDOW_MAX) throw new ConnectionError(ERROR.flowControl, "WINDOW_UPDATE");
    if (this.#pending.size > 0) this.pump();
  }

  /** Lets the peer send so many bytes more, of a stream, or of all of them (0). */
  windowUpdate(stream: number, bytes: number): void {
    const at = this.#output.frame(FRAME.windowUpdate, 0, stream, 4);
    this.#output.slab.writeUInt32BE(bytes, at);
  }

  reset(stream: number, code: number): void {
    const at = this.#output.frame(FRAME.reset, 0, stream, 4);
    this.#output.slab.writeUInt32BE(code, at);
  }

  ping(payload: Buffer, flags: number): void {
    this.#frame(FRAME.ping, flags, 0, payload);
  }

  /** Says that streams above the last one are not taken (section 6.8). */
  goAway(lastStream: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(lastStream);
    payload.writeUInt32BE(code, 4);
    this.#frame(FRAME.goAway, 0, 0, payload);
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    const at = this.#output.frame(type, flags, stream, payload.length);
    this.#output.slab.set(payload, at);
  }
}
