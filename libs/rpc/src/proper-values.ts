import { isUtf8 } from "node:buffer";
import { type DescField, ScalarType } from "@bufbuild/protobuf";

/** Bytes, and how far they were read. */
export interface Input {
  readonly bytes: Buffer;
  /** The bytes as a text, one character each. */
  readonly text: string;
  at: number;
}

/** How the value of a field is read behind its tag. */
export interface ValueReader {
  readonly wire: number;
  readonly read: (input: Input) => unknown;
}

/** Wire types of tags. */
export const WIRE = { varint: 0, bit64: 1, length: 2 } as const;

/** Thrown away by whoever asked: it says only that the library has to look. */
export const IMPROPER = new Error("the bytes are not in proper form");

/** How a scalar is read, and what stands where none is set. */
interface Scalar extends ValueReader {
  readonly zero: unknown;
}

const SCALARS: { readonly [type in ScalarType]?: Scalar } = {
  [ScalarType.STRING]: { wire: WIRE.length, read: text, zero: "" },
  [ScalarType.BYTES]: { wire: WIRE.length, read: bytes, zero: new Uint8Array() },
  [ScalarType.INT32]: { wire: WIRE.varint, read: varint, zero: 0 },
  [ScalarType.INT64]: { wire: WIRE.varint, read: int64, zero: 0n },
  [ScalarType.BOOL]: { wire: WIRE.varint, read: bool, zero: false },
  [ScalarType.DOUBLE]: { wire: WIRE.bit64, read: double, zero: 0 },
};

/** A scalar, or an enum; undefined for a type that is not known here. */
export function scalarOf({ scalar = ScalarType.INT32 }: DescField): Scalar | undefined {
  return SCALARS[scalar];
}

const VARINT_31_SHIFT_MAX = 28;

/** A number from 0 to 2^31 - 1, in as few bytes as can be. */
export function varint(input: Input): number {
  const { bytes } = input;
  let byte = bytes[input.at++] as number;
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  for (let shift = 7; shift <= VARINT_31_SHIFT_MAX; shift += 7) {
    byte = bytes[input.at++] as number;
    if (byte < 0x80) {
      if (byte === 0 || (shift === VARINT_31_SHIFT_MAX && byte > 7)) throw IMPROPER;
      return value | (byte << shift);
    }
    value |= (byte & 0x7f) << shift;
  }
  throw IMPROPER;
}

/** Seven bytes hold 49 bits, which a number holds exactly. */
const EXACT_SHIFT_MAX = 42;

/** From 0 to 2^63 - 1, in as few bytes as can be. */
function int64(input: Input): bigint {
  const { bytes } = input;
  let low = 0;
  let scale = 1;
  for (let shift = 0; shift <= EXACT_SHIFT_MAX; shift += 7) {
    const byte = bytes[input.at++] as number;
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) throw IMPROPER;
      return BigInt(low + byte * scale);
    }
    low += (byte & 0x7f) * scale;
    scale *= 0x80;
  }
  const eighth = bytes[input.at++] as number;
  const ninth = eighth < 0x80 ? 0 : (bytes[input.at++] as number);
  if ((eighth < 0x80 && eighth === 0) || (eighth >= 0x80 && !(ninth > 0 && ninth < 0x80))) {
    throw IMPROPER;
  }
  const high = (eighth & 0x7f) + ninth * 0x80;
  return BigInt(low) + BigInt(high) * 0x2_0000_0000_0000n;
}

function bool(input: Input): boolean {
  const byte = input.bytes[input.at++] as number;
  if (!(byte <= 1)) throw IMPROPER;
  return byte === 1;
}

function double(input: Input): number {
  const value = input.bytes.readDoubleLE(input.at);
  input.at += 8;
  // Of which there are many, and we would write another.
  if (Number.isNaN(value)) throw IMPROPER;
  return value;
}

/** Where what is read next, a length and so many bytes, begins; reading goes on behind it. */
function skipSized(input: Input): number {
  const length = varint(input);
  const { at } = input;
  input.at += length;
  if (input.at > input.bytes.length) throw IMPROPER;
  return at;
}

function bytes(input: Input): Uint8Array {
  return viewOf(input, skipSized(input));
}

/** What was read since. */
export function viewOf(input: Input, since: number): Uint8Array {
  const { buffer, byteOffset } = input.bytes;
  return new Uint8Array(buffer, byteOffset + since, input.at - since);
}

/** A part of a text that is shorter is a copy, and does not hold on to the whole. */
const COPIED_BELOW = 13;

/** A text. */
export function text(input: Input): string {
  const at = skipSized(input);
  const { bytes, at: end } = input;
  let all = 0;
  for (let nth = at; nth < end; nth++) all |= bytes[nth] as number;
  if (all < 0x80) {
    return end - at < COPIED_BELOW ? input.text.slice(at, end) : bytes.toString("latin1", at, end);
  }
  if (!isUtf8(bytes.subarray(at, end))) throw IMPROPER;
  return bytes.toString("utf8", at, end);
}
