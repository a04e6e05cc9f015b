import { WireType } from "@bufbuild/protobuf/wire";

/** Most bytes of a varint. */
const VARINT_MAX = 10;
/** Below this a whole number can be taken apart by its bits. */
const BITS_END = 2 ** 31;

/**
 * Writes fields of messages in their binary form, one behind the other, as those need it who write a million of them:
 * BinaryWriter of @bufbuild/protobuf took three times as long. Numbers of fields are below 16. Nothing is left out:
 * whether a field has its default is the caller's to see.
 */
export class FieldWriter {
  #bytes = Buffer.allocUnsafeSlow(1_024);
  #at = 0;

  /** How much is written. */
  get length(): number {
    return this.#at;
  }

  /** All that is written, in memory of its own; the next message begins. */
  finish(): Uint8Array {
    const written = new Uint8Array(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return written;
  }

  /**
   * Begins a message within the message; `end` takes what is returned. It is moved when its length takes other room
   * than that of `guess`.
   */
  begin(field: number, guess = 0): number {
    this.#room(1 + VARINT_MAX);
    this.#bytes[this.#at++] = (field << 3) | WireType.LengthDelimited;
    const from = this.#at;
    this.#varint(guess);
    return from;
  }

  end(from: number): void {
    let place = from;
    while ((this.#bytes[place++] as number) >= 0x80);
    const length = this.#at - place;
    const wanted = from + varintBytes(length);
    if (wanted !== place) {
      this.#room(VARINT_MAX);
      this.#bytes.copyWithin(wanted, place, this.#at);
    }
    this.#at = from;
    this.#varint(length);
    this.#at += length;
  }

  text(field: number, text: string): void {
    const { length } = text;
    if (length >= 0x80) {
      this.bytes(field, Buffer.from(text));
      return;
    }
    this.#room(2 + length);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = (field << 3) | WireType.LengthDelimited;
    bytes[at++] = length;
    for (let nth = 0; nth < length; nth++) {
      const code = text.charCodeAt(nth);
      if (code >= 0x80) {
        this.bytes(field, Buffer.from(text));
        return;
      }
      bytes[at++] = code;
    }
    this.#at = at;
  }

  bytes(field: number, content: Uint8Array): void {
    const { length } = content;
    this.#room(1 + VARINT_MAX + length);
    this.#bytes[this.#at++] = (field << 3) | WireType.LengthDelimited;
    this.#varint(length);
    this.#bytes.set(content, this.#at);
    this.#at += length;
  }

  /** Fields that were written elsewhere. */
  raw(fields: Uint8Array): void {
    this.#room(fields.length);
    this.#bytes.set(fields, this.#at);
    this.#at += fields.length;
  }

  /**
   * A field of any of the types whose numbers are varints, but sint32 and sint64.
   * @throws RangeError when `value` is no whole number, or one that a double does not tell from its neighbours
   */
  int(field: number, value: number): void {
    this.#room(1 + VARINT_MAX);
    this.#bytes[this.#at++] = (field << 3) | WireType.Varint;
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#room(9);
    this.#bytes[this.#at++] = (field << 3) | WireType.Bit64;
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    if (!Number.isSafeInteger(rest)) throw new RangeError(`no whole number: ${value}`);
    if (rest < 0) {
      this.#negative(value);
      return;
    }
    for (; rest >= BITS_END; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  #room(most: number): void {
    if (this.#at + most <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#at + most));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}
