import type { Columns } from "./rows.ts";

// Arrays of a composite type as Postgres receives them in binary: neither side writes or reads a
// decimal or a hexadecimal digit, and `unnest` takes each row as it is. As text, in one array for
// each column, they took Postgres a sixth of the time of a payment.

/** Grows as needed and is used again: what is sent is copied out of it. */
const sink = { bytes: Buffer.of(), view: new DataView(new ArrayBuffer(0)), at: 0 };
/** One that had to hold more than usual, such as large contexts, is let go. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** How the values of a type are sent. */
interface Wire {
  /** The type's own number; any that is not built in passes for one that is not. */
  readonly oid: number;
  /** Writes a value, which is of the type, with its length before it. */
  readonly put: (value: never) => void;
}

const ANY_OID = 0;
const WORD: Wire = { oid: ANY_OID, put: putText };

const WIRES: Readonly<Record<string, Wire>> = {
  bigint: { oid: 20, put: putBigint },
  integer: { oid: 23, put: putInteger },
  numeric: { oid: 1700, put: putNumeric },
  uuid: { oid: 2950, put: putUuid },
  text: { oid: 25, put: putText },
  json: { oid: 114, put: putText },
  bytea: { oid: 17, put: putSlice },
  timestamptz: { oid: 1184, put: putTime },
  transaction_state: WORD,
  movement_kind: WORD,
};

/** The rows of a composite type with these columns, in this order, as one array. */
export function records<R>(columns: Columns<R>, rows: readonly R[]): Buffer {
  const fields = Object.values(columns).map(({ type, of }) => ({ ...wireOf(type), of }));
  sink.at = 0;
  putArrayHead(rows.length);
  for (const row of rows) {
    const head = take(8);
    sink.view.setInt32(head + 4, fields.length);
    for (const { oid, put, of } of fields) {
      const value = of(row);
      putWord(oid);
      if (value === undefined) putWord(NULL_LENGTH);
      else put(value as never);
    }
    sink.view.setInt32(head, sink.at - head - 4);
  }
  return taken();
}

/** Ids as one array, for `uuid[]`. */
export function uuids(ids: readonly string[]): Buffer {
  sink.at = 0;
  putArrayHead(ids.length, WIRES["uuid"]?.oid);
  for (const id of ids) putUuid(id);
  return taken();
}

function taken(): Buffer {
  const whole = sink.bytes.subarray(0, sink.at);
  if (sink.bytes.length <= KEPT_BYTES_MAX) return Buffer.from(whole);
  sink.bytes = Buffer.of();
  sink.view = new DataView(new ArrayBuffer(0));
  return whole;
}

function wireOf(type: string): Wire {
  const wire = WIRES[type];
  if (wire === undefined) throw new TypeError(`the ledger does not send ${type} in binary`);
  return wire;
}

/** Makes room for so many bytes and returns where they begin. */
function take(length: number): number {
  const from = sink.at;
  sink.at += length;
  if (sink.at > sink.bytes.length) {
    const larger = Buffer.allocUnsafeSlow(2 * sink.at);
    larger.set(sink.bytes);
    sink.bytes = larger;
    sink.view = new DataView(larger.buffer);
  }
  return from;
}

/** Dimensions, whether there are nulls, the type of the elements, and of the one dimension its size. */
function putArrayHead(length: number, oid = ANY_OID): void {
  const at = take(length === 0 ? 12 : 20);
  const { view } = sink;
  view.setInt32(at, length === 0 ? 0 : 1);
  view.setInt32(at + 4, 0);
  view.setInt32(at + 8, oid);
  if (length === 0) return;
  view.setInt32(at + 12, length);
  view.setInt32(at + 16, 1);
}

/** In the place of a length. */
const NULL_LENGTH = -1;

function putWord(value: number): void {
  const at = take(4);
  sink.view.setInt32(at, value);
}

function putBigint(value: bigint | number): void {
  const at = take(12);
  sink.view.setInt32(at, 8);
  sink.view.setBigInt64(at + 4, BigInt(value));
}

function putInteger(value: number): void {
  const at = take(8);
  sink.view.setInt32(at, 4);
  sink.view.setInt32(at + 4, value);
}

/** Digits to the base of 10,000, the first one first, after how many, their weight, sign and scale. */
function putNumeric(value: bigint): void {
  const head = take(12);
  // The last one first, and then turned round.
  let rest = value < 0n ? -value : value;
  for (; rest > SAFE; rest /= BIG_BASE) putDigit(Number(rest % BIG_BASE));
  let small = Number(rest);
  while (small > 0) {
    // A large one divided may be rounded up to the next whole number.
    const rounded = Math.floor(small / BASE);
    const above = rounded * BASE > small ? rounded - 1 : rounded;
    putDigit(small - above * BASE);
    small = above;
  }
  const digits = (sink.at - head - 12) / 2;
  turn(head + 12, sink.at - 2);
  const { view } = sink;
  view.setInt32(head, 8 + 2 * digits);
  view.setInt16(head + 4, digits);
  view.setInt16(head + 6, digits - 1);
  view.setInt16(head + 8, value < 0n ? NEGATIVE : 0);
  view.setInt16(head + 10, 0);
}

const NEGATIVE = 0x4000;
const BASE = 10_000;
const BIG_BASE = 10_000n;
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function putDigit(digit: number): void {
  const at = take(2);
  sink.view.setInt16(at, digit);
}

/** Turns the order of digits round: from the one at `first` to the one at `last`. */
function turn(first: number, last: number): void {
  const { view } = sink;
  for (let [left, right] = [first, last]; left < right; left += 2, right -= 2) {
    const digit = view.getInt16(left);
    view.setInt16(left, view.getInt16(right));
    view.setInt16(right, digit);
  }
}

function putUuid(id: string): void {
  const at = take(20);
  sink.view.setInt32(at, 16);
  const { bytes } = sink;
  let seen = id.length === 36 ? 0 : NO_DIGIT;
  for (let nth = 0; nth < 16; nth += 1) {
    const place = HEX_PLACES[nth] as number;
    const high = NIBBLES[id.charCodeAt(place)] ?? NO_DIGIT;
    const low = NIBBLES[id.charCodeAt(place + 1)] ?? NO_DIGIT;
    bytes[at + 4 + nth] = (high << 4) | low;
    seen |= high | low;
  }
  if (seen >= NO_DIGIT) throw new TypeError(`no UUID: ${JSON.stringify(id)}`);
}

/** Where the bytes of a UUID stand in its text. */
const HEX_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const NO_DIGIT = 16;
/** What each hexadecimal digit of the lower case is worth, by its character code. */
const NIBBLES = new Uint8Array(128).fill(NO_DIGIT);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  NIBBLES[digit.charCodeAt(0)] = value;
}

function putText(text: string): void {
  // At most three bytes for each code unit.
  const at = take(4 + 3 * text.length);
  const written = sink.bytes.write(text, at + 4, "utf8");
  sink.view.setInt32(at, written);
  sink.at = at + 4 + written;
}

/** Microseconds from the beginning of 2000 on. */
function putTime(time: Date): void {
  putBigint(BigInt(time.getTime() - POSTGRES_EPOCH_MS) * 1_000n);
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

/** A part of a buffer, which costs less than a view of it. */
export interface Slice {
  readonly of: Uint8Array;
  readonly from: number;
  readonly length: number;
}

function putSlice({ of, from, length }: Slice): void {
  const at = take(4 + length);
  const { bytes, view } = sink;
  view.setInt32(at, length);
  for (let nth = 0; nth < length; nth += 1) bytes[at + 4 + nth] = of[from + nth] as number;
}
