// Arrays of a composite type as Postgres receives them in binary: neither side writes or reads a
// decimal or a hexadecimal digit, and `unnest` takes each row as it is. As text, in one array for
// each column, they took Postgres a sixth of the time of a payment.

/** Grows as needed and is used again: what is sent is copied out of it. */
const sink = { bytes: Buffer.of(), view: new DataView(new ArrayBuffer(0)), at: 0, fields: 0 };
/** One that had to hold more than usual, such as large contexts, is let go. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** The numbers of types; any type that is not built in passes for one that is not. */
const OID = {
  ...{ any: 0, bytea: 17, bigint: 20, integer: 23, text: 25, json: 114 },
  ...{ timestamptz: 1184, numeric: 1700, uuid: 2950 },
} as const;

/**
 * Rows of a composite type as one array. `put` puts the fields of a row, in the order of the type, each by the
 * function that is named after its type; undefined becomes null.
 */
export function records<R>(rows: readonly R[], put: (row: R, nth: number) => void): Buffer {
  sink.at = 0;
  putRows(rows, put);
  return taken();
}

function putRows<R>(rows: readonly R[], put: (row: R, nth: number) => void): void {
  putArrayHead(rows.length, OID.any);
  rows.forEach((row, nth) => {
    const head = take(8);
    sink.fields = 0;
    put(row, nth);
    sink.view.setInt32(head, sink.at - head - 4);
    sink.view.setInt32(head + 4, sink.fields);
  });
}

/** Ids as one array, for `uuid[]`. */
export function uuids(ids: readonly string[]): Buffer {
  sink.at = 0;
  putArrayHead(ids.length, OID.uuid);
  for (const id of ids) {
    const at = take(4 + UUID_BYTES);
    sink.view.setInt32(at, UUID_BYTES);
    writeUuid(id, at + 4);
  }
  return taken();
}

/** Puts a field of 64 bits. */
export function putBigint(value: bigint | undefined): void {
  if (value === undefined) {
    putNull(OID.bigint);
    return;
  }
  const at = putHead(OID.bigint, 8);
  sink.view.setBigInt64(at, value);
}

/** Puts a field of 32 bits. */
export function putInteger(value: number | undefined): void {
  if (value === undefined) {
    putNull(OID.integer);
    return;
  }
  const at = putHead(OID.integer, 4);
  sink.view.setInt32(at, value);
}

/** Puts a whole number of any size. */
export function putNumeric(value: bigint | undefined): void {
  if (value === undefined) {
    putNull(OID.numeric);
    return;
  }
  let rest = Math.abs(Number(value));
  if (!Number.isSafeInteger(rest)) {
    putLargeNumeric(value);
    return;
  }
  let digits = 0;
  for (let reach = 1; reach <= rest; reach *= BASE) digits += 1;
  const at = putNumericHead(digits, value < 0n);
  for (let nth = digits - 1; nth >= 0; nth -= 1) {
    // What is large may be rounded up to the next whole number when it is divided.
    const rounded = Math.floor(rest / BASE);
    const above = rounded * BASE > rest ? rounded - 1 : rounded;
    sink.view.setInt16(at + 2 * nth, rest - above * BASE);
    rest = above;
  }
}

const BASE = 10_000;
const BASE_DIGITS = 4;
const NEGATIVE = 0x4000;

function putLargeNumeric(value: bigint): void {
  const text = String(value < 0n ? -value : value);
  const digits = Math.ceil(text.length / BASE_DIGITS);
  const padded = text.padStart(digits * BASE_DIGITS, "0");
  const at = putNumericHead(digits, value < 0n);
  for (let nth = 0; nth < digits; nth += 1) {
    const digit = padded.slice(nth * BASE_DIGITS, (nth + 1) * BASE_DIGITS);
    sink.view.setInt16(at + 2 * nth, Number(digit));
  }
}

/**
 * How many digits to the base of 10,000 follow, the first one first; their weight, sign and scale. Returns where
 * they begin.
 */
function putNumericHead(digits: number, isNegative: boolean): number {
  const at = putHead(OID.numeric, 8 + 2 * digits);
  const { view } = sink;
  view.setInt16(at, digits);
  view.setInt16(at + 2, digits - 1);
  view.setInt16(at + 4, isNegative ? NEGATIVE : 0);
  view.setInt16(at + 6, 0);
  return at + 8;
}

/**
 * Puts an id.
 * @throws TypeError when it is no UUID in lower case
 */
export function putUuid(id: string | undefined): void {
  if (id === undefined) {
    putNull(OID.uuid);
    return;
  }
  const at = putHead(OID.uuid, UUID_BYTES);
  writeUuid(id, at);
}

/** Puts a text. */
export function putText(text: string | undefined): void {
  putCharacters(OID.text, text);
}

/** Puts the name of a value of an enumeration. */
export function putName(name: string | undefined): void {
  putCharacters(OID.any, name);
}

/** Puts a text that is JSON. */
export function putJson(text: string | undefined): void {
  putCharacters(OID.json, text);
}

function putCharacters(oid: number, text: string | undefined): void {
  if (text === undefined) {
    putNull(oid);
    return;
  }
  // At most three bytes for each code unit.
  const at = putHead(oid, 3 * text.length);
  const written = sink.bytes.write(text, at, "utf8");
  sink.view.setInt32(at - 4, written);
  sink.at = at + written;
}

/** Puts a time: microseconds from the beginning of 2000 on. */
export function putTime(time: Date | undefined): void {
  if (time === undefined) {
    putNull(OID.timestamptz);
    return;
  }
  const at = putHead(OID.timestamptz, 8);
  sink.view.setBigInt64(at, BigInt(time.getTime() - POSTGRES_EPOCH_MS) * 1_000n);
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

/** Puts so many bytes of a buffer, from a place on: a view of them for each row would cost more. */
export function putBytes(of: Uint8Array, from: number, length: number): void {
  const at = putHead(OID.bytea, length);
  const { bytes } = sink;
  for (let nth = 0; nth < length; nth += 1) bytes[at + nth] = of[from + nth] as number;
}

/** Puts rows of a composite type as one array, as `records` does. */
export function putRecords<R>(rows: readonly R[], put: (row: R, nth: number) => void): void {
  const at = putHead(OID.any, 0);
  const { fields } = sink;
  putRows(rows, put);
  sink.view.setInt32(at - 4, sink.at - at);
  sink.fields = fields;
}

/** Begins a field; returns where so many bytes of it are to be written. */
function putHead(oid: number, length: number): number {
  const at = take(8 + length);
  const { view } = sink;
  view.setInt32(at, oid);
  view.setInt32(at + 4, length);
  sink.fields += 1;
  return at + 8;
}

function putNull(oid: number): void {
  const at = putHead(oid, 0);
  sink.view.setInt32(at - 4, NULL_LENGTH);
}

/** In the place of a length. */
const NULL_LENGTH = -1;

function taken(): Buffer {
  const whole = sink.bytes.subarray(0, sink.at);
  if (sink.bytes.length <= KEPT_BYTES_MAX) return Buffer.from(whole);
  sink.bytes = Buffer.of();
  sink.view = new DataView(new ArrayBuffer(0));
  return whole;
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
function putArrayHead(length: number, oid: number): void {
  const at = take(length === 0 ? 12 : 20);
  const { view } = sink;
  view.setInt32(at, length === 0 ? 0 : 1);
  view.setInt32(at + 4, 0);
  view.setInt32(at + 8, oid);
  if (length === 0) return;
  view.setInt32(at + 12, length);
  view.setInt32(at + 16, 1);
}

const UUID_BYTES = 16;

function writeUuid(id: string, at: number): void {
  const { bytes } = sink;
  let seen = id.length === 36 ? 0 : NO_DIGIT;
  for (let nth = 0; nth < UUID_BYTES; nth += 1) {
    const place = HEX_PLACES[nth] as number;
    const high = NIBBLES[id.charCodeAt(place)] ?? NO_DIGIT;
    const low = NIBBLES[id.charCodeAt(place + 1)] ?? NO_DIGIT;
    bytes[at + nth] = (high << 4) | low;
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
