import { ConnectionError, ERROR, FLAG } from "./frames.ts";
import { HEADER_LIST_BYTES } from "./settings.ts";

/** A block of this many frames is none that anybody needs. */
const FRAMES_MAX = 64;
const PRIORITY_BYTES = 5;

/** A payload without what may stand around it (RFC 9113, sections 6.1 and 6.2). Throws ConnectionError. */
export function bare(flags: number, bytes: Buffer, begin: number, end: number): Buffer {
  if ((flags & (FLAG.padded | FLAG.priority)) === 0) return bytes.subarray(begin, end);
  const isPadded = (flags & FLAG.padded) !== 0;
  const padding = isPadded ? (bytes[begin] ?? 0) : 0;
  const head = (isPadded ? 1 : 0) + ((flags & FLAG.priority) !== 0 ? PRIORITY_BYTES : 0);
  if (begin + head + padding > end) throw new ConnectionError(ERROR.protocol, "padding");
  return bytes.subarray(begin + head, end - padding);
}

/** A header block that comes in several frames, with nothing between them (section 6.10). */
export class HeaderBlock {
  readonly stream: number;
  readonly isLast: boolean;
  readonly #parts: Buffer[];
  #bytes: number;

  /** `isLast`: the request ends with these headers. */
  constructor(stream: number, isLast: boolean, first: Buffer) {
    this.stream = stream;
    this.isLast = isLast;
    this.#parts = [Buffer.from(first)];
    this.#bytes = first.length;
  }

  /**
   * Adds a part. Throws ConnectionError when the block has become longer than any that we take: it cannot be
   * left out, since later ones build on it (section 10.5.1).
   */
  add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > HEADER_LIST_BYTES || this.#parts.length === FRAMES_MAX) {
      throw new ConnectionError(ERROR.enhanceYourCalm, "too long a header block");
    }
    this.#parts.push(Buffer.from(part));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
