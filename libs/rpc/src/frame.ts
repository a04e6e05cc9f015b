import { gunzipSync, inflateSync } from "node:zlib";
import { Rejection } from "./rejection.ts";
import { tooLarge } from "./validation.ts";

/** A byte that says whether the message is compressed, and its length in four. */
export const PREFIX_BYTES = 5;

/** What a caller may compress its messages with; ours go as they are. */
export const ENCODINGS = "identity,gzip,deflate";

const EMPTY = Buffer.alloc(0);
const KEPT_BYTES_MIN = 256;

const INFLATERS = new Map([
  ["gzip", gunzipSync],
  ["deflate", inflateSync],
]);

/** A message with the prefix that gRPC puts before each. */
export function framed(message: Uint8Array): Buffer {
  return framedAll([message]);
}

/** The frames of messages, one behind the other. */
export function framedAll(messages: readonly Uint8Array[]): Buffer {
  const bytes = messages.reduce((sum, message) => sum + message.length, 0);
  const frames = Buffer.allocUnsafe(PREFIX_BYTES * messages.length + bytes);
  let at = 0;
  for (const message of messages) {
    writePrefix(frames, at, message.length);
    frames.set(message, at + PREFIX_BYTES);
    at += PREFIX_BYTES + message.length;
  }
  return frames;
}

/** Writes what stands before a message of so many bytes that is not compressed. */
export function writePrefix(out: Buffer, at: number, messageBytes: number): void {
  out[at] = 0;
  out.writeUInt32BE(messageBytes, at + 1);
}

/** The message, when the bytes are exactly one that is not compressed and has at most so many. */
export function wholeMessage(bytes: Buffer, maxBytes: number): Buffer | undefined {
  if (bytes.length < PREFIX_BYTES || bytes.length - PREFIX_BYTES > maxBytes) return undefined;
  const isWhole = bytes[0] === 0 && bytes.readUInt32BE(1) === bytes.length - PREFIX_BYTES;
  return isWhole ? bytes.subarray(PREFIX_BYTES) : undefined;
}

/** Cuts the bytes of a request into messages, wherever the wire has cut them. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #encoding: string;
  /** Where the beginning of a message is kept; it doubles as it fills. */
  #kept = EMPTY;
  #size = 0;

  /** Messages may have `maxBytes` once they are decompressed; `encoding` is the header's. */
  constructor(maxBytes: number, encoding: string) {
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
  }

  /** What the beginning of a message takes that is not whole yet. */
  get keptBytes(): number {
    return this.#kept.length;
  }

  /**
   * The messages that these bytes complete, decompressed one by one as they are taken.
   *
   * @throws Rejection MESSAGE_TOO_LARGE as soon as a prefix says so, UNIMPLEMENTED for an encoding
   * that is not known here, INVALID_REQUEST for what is not of the encoding it claims
   */
  *push(bytes: Buffer): Generator<Buffer, void, undefined> {
    let rest = this.#size === 0 ? bytes : this.#joined(bytes);
    let isWhole = false;
    while (rest.length >= PREFIX_BYTES) {
      const length = rest.readUInt32BE(1);
      if (length > this.#maxBytes) throw tooLarge("request", length, this.#maxBytes);
      const end = PREFIX_BYTES + length;
      if (rest.length < end) break;
      isWhole = true;
      const message = rest.subarray(PREFIX_BYTES, end);
      yield rest[0] === 0 ? message : this.#decompressed(message);
      rest = rest.subarray(end);
    }
    if (this.#size > 0 && !isWhole) return;
    this.#kept = rest.length === 0 ? EMPTY : Buffer.from(rest);
    this.#size = rest.length;
  }

  /** Throws Rejection INVALID_REQUEST when the bytes ended inside a message. */
  end(): void {
    if (this.#size === 0) return;
    throw new Rejection("INVALID_REQUEST", "the request ends in the middle of a message");
  }

  #joined(bytes: Buffer): Buffer {
    const size = this.#size + bytes.length;
    if (size > this.#kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(KEPT_BYTES_MIN, 2 * size));
      this.#kept.copy(larger, 0, 0, this.#size);
      this.#kept = larger;
    }
    bytes.copy(this.#kept, this.#size);
    this.#size = size;
    return this.#kept.subarray(0, size);
  }

  #decompressed(message: Buffer): Buffer {
    const inflate = INFLATERS.get(this.#encoding);
    if (inflate === undefined) {
      const text = `messages compressed with "${this.#encoding}" are not read here`;
      throw new Rejection("UNIMPLEMENTED", text);
    }
    try {
      return inflate(message, { maxOutputLength: this.#maxBytes });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
        throw tooLarge("request", this.#maxBytes + 1, this.#maxBytes);
      }
      throw new Rejection("INVALID_REQUEST", `the message is not ${this.#encoding}`);
    }
  }
}
