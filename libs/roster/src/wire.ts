/**
 * Reads a message in binary form that is kept as a text of one byte a character, field by field, without making objects
 * of it. https://protobuf.dev/programming-guides/encoding/
 *
 * Read `tag`, and then the value that it announces or `skip` it, as long as `at` is before the end. A message that is
 * cut off reads as if zeros followed.
 */
export class WireReader {
  readonly text: string;
  /** Where the next byte is. */
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The number and the wire type of the next field, as `tagOf` puts them together. */
  tag(): number {
    return this.whole();
  }

  /** A whole number that is not negative; of 2^53 and more the nearest. */
  whole(): number {
    const first = this.text.charCodeAt(this.at);
    if (first > 127) return this.#long();
    this.at += 1;
    // At the end it is NaN.
    return first | 0;
  }

  /** One of several bytes, which are few: most are tags and lengths. */
  #long(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.text.charCodeAt(this.at);
      this.at += 1;
      value += (byte & 127) * scale;
      // At the end it is NaN.
      if (!(byte > 127)) return value;
      scale *= 128;
    }
  }

  /** The same with a sign; the nearest where it is large. */
  #signed(): number {
    const from = this.at;
    const value = this.whole();
    if (this.at - from <= SAFE_BYTES) return value;
    this.at = from;
    return Number(this.int64());
  }

  /** A whole number of 64 bits with a sign. */
  int64(): bigint {
    const from = this.at;
    const value = this.whole();
    if (this.at - from <= SAFE_BYTES) return BigInt(value);
    let exact = 0n;
    for (let at = this.at - 1; at >= from; at -= 1) {
      exact = (exact << 7n) | BigInt(this.text.charCodeAt(at) & 127);
    }
    return BigInt.asIntN(64, exact);
  }

  double(): number {
    for (let byte = 0; byte < 8; byte += 1) BYTES[byte] = this.text.charCodeAt(this.at + byte);
    this.at += 8;
    return DOUBLE.getFloat64(0, true);
  }

  /** Where the message ends that begins here, behind its length. */
  end(): number {
    const length = this.whole();
    return this.at + length;
  }

  /** Text, bytes or a message, a byte a character. */
  bytes(): string {
    const end = this.end();
    const bytes = this.text.slice(this.at, end);
    this.at = end;
    return bytes;
  }

  /** Text. */
  utf8(): string {
    const end = this.end();
    const isPlain = isAscii(this.text, this.at, end);
    const bytes = this.text.slice(this.at, end);
    this.at = end;
    return isPlain ? bytes : fromUtf8(bytes);
  }

  /** A Timestamp (since the epoch) or a Duration, in milliseconds. */
  ms(): number {
    let seconds = 0;
    let nanos = 0;
    const end = this.end();
    while (this.at < end) {
      const tag = this.tag();
      if (tag === SECONDS) seconds = this.#signed();
      else if (tag === NANOS) nanos = this.#signed();
      else this.skip(tag);
    }
    return seconds * 1_000 + Math.round(nanos / 1_000_000);
  }

  /** Passes over the value of a field, whose tag was read. @throws Error for what is no field */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.whole();
        break;
      case FIXED64:
        this.at += 8;
        break;
      case BYTES_TYPE:
        this.at = this.end();
        break;
      case FIXED32:
        this.at += 4;
        break;
      default:
        throw new Error(`no message: a field of wire type ${tag & 7}`);
    }
  }
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES_TYPE = 2;
const FIXED32 = 5;
const SECONDS = (1 << 3) | VARINT;
const NANOS = (2 << 3) | VARINT;
/** So many bytes of seven bits are exact in a double. */
const SAFE_BYTES = 7;

const BYTES = new Uint8Array(8);
const DOUBLE = new DataView(BYTES.buffer);

/** The tag of a field, by its number and what its value is. */
export function tagOf(number: number, kind: "whole" | "double" | "bytes"): number {
  const type = kind === "whole" ? VARINT : kind === "double" ? FIXED64 : BYTES_TYPE;
  return (number << 3) | type;
}

/** The text whose bytes in UTF-8 these are, a byte a character. */
export function fromUtf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Looked at where it stands: what is cut out takes longer to read. */
function isAscii(text: string, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/**
 * The same text, of some thousand characters at most, in memory of its own: one that was cut out of another keeps all
 * of that one.
 */
export function apart(text: string): string {
  const codes: number[] = [];
  for (let at = 0; at < text.length; at += 1) codes.push(text.charCodeAt(at));
  return String.fromCharCode(...codes);
}
