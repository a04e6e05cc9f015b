import { types } from "pg";
import { EPOCH_MS } from "./binary-row.ts";

// Lists as parameters, in the binary form of Postgres. In the text form pg takes ten times as long to write a list, and
// the server looks at each letter for a quote.

/** A `text[]` as a parameter of a statement. */
export function textArray(texts: readonly string[]): Buffer {
  return arrayOf(TEXT, texts);
}

/** A `bytea[]`; undefined is null, as in those that follow. */
export function byteaArray(values: readonly (Uint8Array | undefined)[]): Buffer {
  return arrayOf(BYTEA, values);
}

/** An `integer[]`. */
export function integerArray(values: readonly (number | undefined)[]): Buffer {
  return arrayOf(INTEGER, values);
}

/** A `bigint[]`. */
export function bigintArray(values: readonly (bigint | undefined)[]): Buffer {
  return arrayOf(BIGINT, values);
}

/** A `boolean[]`. */
export function booleanArray(values: readonly (boolean | undefined)[]): Buffer {
  return arrayOf(BOOLEAN, values);
}

/** A `timestamptz[]`. */
export function timeArray(values: readonly (Date | undefined)[]): Buffer {
  return arrayOf(TIME, values);
}

/** How the values of a type are written. */
interface Kind<T> {
  readonly oid: number;
  /** Most bytes that a value may take. */
  room(value: T): number;
  /** Writes a value into the scratch, which has room for it; returns how many bytes it took. */
  write(at: number, value: T): number;
}

/** What arrays are written into: how long one will be is known only when it is written. It grows with the longest. */
let scratch = Buffer.allocUnsafeSlow(0);
let view = new DataView(scratch.buffer);
/** A scratch that had to hold more than usual is let go. */
const KEPT_BYTES_MAX = 4 * 1_024 * 1_024;

/** Dimensions, whether there are nulls, the type; then of the one dimension: how many, and the index of the first. */
const HEAD_BYTES = 20;
const EMPTY_BYTES = 12;

function arrayOf<T>(kind: Kind<T>, values: readonly (T | undefined)[]): Buffer {
  reserve(HEAD_BYTES, 0);
  let at = HEAD_BYTES;
  let hasNulls = false;
  for (const value of values) {
    reserve(at + 4 + (value === undefined ? 0 : kind.room(value)), at);
    const size = value === undefined ? -1 : kind.write(at + 4, value);
    view.setInt32(at, size);
    hasNulls ||= size < 0;
    at += 4 + Math.max(0, size);
  }
  view.setInt32(0, values.length === 0 ? 0 : 1);
  view.setInt32(4, hasNulls ? 1 : 0);
  view.setInt32(8, kind.oid);
  view.setInt32(12, values.length);
  view.setInt32(16, 1);
  const written = scratch.subarray(0, values.length === 0 ? EMPTY_BYTES : at);
  if (scratch.length <= KEPT_BYTES_MAX) return Buffer.from(written);
  use(Buffer.allocUnsafeSlow(0));
  return written;
}

function reserve(bytes: number, written: number): void {
  if (bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(2 * bytes);
  scratch.copy(larger, 0, 0, written);
  use(larger);
}

function use(room: Buffer<ArrayBuffer>): void {
  scratch = room;
  view = new DataView(room.buffer);
}

const { builtins } = types;

const TEXT: Kind<string> = {
  oid: builtins.TEXT,
  room: (text) => 3 * text.length,
  write: (at, text) => scratch.write(text, at),
};

const BYTEA: Kind<Uint8Array> = {
  oid: builtins.BYTEA,
  room: (bytes) => bytes.length,
  write(at, bytes) {
    scratch.set(bytes, at);
    return bytes.length;
  },
};

const INTEGER = fixed<number>(builtins.INT4, 4, (at, value) => view.setInt32(at, value));
const BIGINT = fixed<bigint>(builtins.INT8, 8, (at, value) => view.setBigInt64(at, value));
const BOOLEAN = fixed<boolean>(builtins.BOOL, 1, (at, value) => view.setUint8(at, Number(value)));
const TIME = fixed<Date>(builtins.TIMESTAMPTZ, 8, (at, time) => {
  view.setBigInt64(at, BigInt(time.getTime() - EPOCH_MS) * 1_000n);
});

/** A type whose values all take so many bytes. */
function fixed<T>(oid: number, bytes: number, set: (at: number, value: T) => void): Kind<T> {
  return {
    oid,
    room: () => bytes,
    write(at, value) {
      set(at, value);
      return bytes;
    },
  };
}
