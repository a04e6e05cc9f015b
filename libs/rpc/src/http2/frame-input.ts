import {
  ConnectionError,
  ERROR,
  FRAME_BYTES_DEFAULT,
  HEAD_BYTES,
  NOTHING,
  read31,
} from "./frames.ts";

/** Takes frames; the payload is `bytes` from `begin` to `end`, and only theirs for the moment. */
export interface FrameTaker {
  frame(
    type: number,
    flags: number,
    stream: number,
    bytes: Buffer,
    begin: number,
    end: number,
  ): void;
}

/** Cuts what a socket gives into frames, wherever it has cut them. */
export class FrameInput {
  readonly #taker: FrameTaker;
  /** Room for one frame that is not whole, 16 KiB at most; what is whole is not copied. */
  #part = NOTHING;
  #size = 0;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Throws what the taker throws, and ConnectionError for a frame that is larger than we take. */
  read(chunk: Buffer, from: number): void {
    let at = this.#size === 0 ? from : this.#complete(chunk, from);
    while (chunk.length - at >= HEAD_BYTES) {
      const end = at + frameBytes(chunk, at);
      if (end > chunk.length) break;
      this.#give(chunk, at, end);
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at);
  }

  #give(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    this.#taker.frame(type, flags, read31(bytes, at + 5), bytes, at + HEAD_BYTES, end);
  }

  #keep(chunk: Buffer, at: number): void {
    this.#size = chunk.length - at;
    this.#part = Buffer.allocUnsafe(this.#size < HEAD_BYTES ? HEAD_BYTES : frameBytes(chunk, at));
    chunk.copy(this.#part, 0, at);
  }

  /** Gives the frame that was begun if it is whole now; returns where the next one begins. */
  #complete(chunk: Buffer, from: number): number {
    let at = this.#fill(chunk, from);
    if (this.#size < HEAD_BYTES) return at;
    const bytes = frameBytes(this.#part, 0);
    if (this.#part.length < bytes) {
      const larger = Buffer.allocUnsafe(bytes);
      this.#part.copy(larger);
      this.#part = larger;
      at = this.#fill(chunk, at);
    }
    if (this.#size < bytes) return at;
    const whole = this.#part;
    this.#part = NOTHING;
    this.#size = 0;
    this.#give(whole, 0, bytes);
    return at;
  }

  #fill(chunk: Buffer, from: number): number {
    const copied = chunk.copy(this.#part, this.#size, from);
    this.#size += copied;
    return from + copied;
  }
}

/** Of the whole frame that begins there. */
function frameBytes(bytes: Buffer, at: number): number {
  const payload = bytes.readUIntBE(at, 3);
  if (payload > FRAME_BYTES_DEFAULT)
    throw new ConnectionError(ERROR.frameSize, "too large a frame");
  return HEAD_BYTES + payload;
}
