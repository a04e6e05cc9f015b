/** Between the beginning of 1970 and that of 2000, from which Postgres counts. */
export const EPOCH_MS = Date.UTC(2000, 0, 1);
/** In the place of a length. */
const NULL_LENGTH = -1;
const JSONB_VERSION = 1;

/**
 * A row in the binary form of Postgres, read column by column, in their order, each by the method that is named after
 * its type. All throw when the column is null or of another length than the type has; ask `isNull` first where it may
 * be null.
 */
export class BinaryRow {
  #bytes: Buffer = Buffer.of();
  #at = 0;

  /** Begins to read where a row of so many bytes has its first column. */
  begin(bytes: Buffer, at: number): void {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Whether the next column is null; if so, goes past it. */
  isNull(): boolean {
    if (this.#bytes.readInt32BE(this.#at) !== NULL_LENGTH) return false;
    this.#at += 4;
    return true;
  }

  text(): string {
    const length = this.#length();
    const from = this.#take(length);
    return this.#bytes.toString("utf8", from, from + length);
  }

  bytea(): Buffer {
    const length = this.#length();
    const from = this.#take(length);
    // A copy: pg writes what comes next over what was read.
    const bytes = Buffer.allocUnsafe(length);
    this.#bytes.copy(bytes, 0, from, from + length);
    return bytes;
  }

  integer(): number {
    return this.#bytes.readInt32BE(this.#takeExactly(4));
  }

  bigint(): bigint {
    return this.#bytes.readBigInt64BE(this.#takeExactly(8));
  }

  xid8(): bigint {
    return this.#bytes.readBigUInt64BE(this.#takeExactly(8));
  }

  /** A time without its microseconds; an invalid one for infinity. */
  timestamptz(): Date {
    const at = this.#takeExactly(8);
    const micros = this.#bytes.readInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(micros)) return distant(this.#bytes.readBigInt64BE(at));
    const ms = Math.floor(micros / 1_000);
    // What is large may be rounded up to the next whole number when it is divided.
    return new Date(EPOCH_MS + (ms * 1_000 > micros ? ms - 1 : ms));
  }

  jsonb(): unknown {
    const length = this.#length();
    const from = this.#take(length);
    if (this.#bytes[from] !== JSONB_VERSION) throw new Error("not a known version of jsonb");
    return JSON.parse(this.#bytes.toString("utf8", from + 1, from + length));
  }

  #length(): number {
    const length = this.#bytes.readInt32BE(this.#at);
    if (length === NULL_LENGTH) throw new Error("a column is null that must not be");
    this.#at += 4;
    return length;
  }

  #take(length: number): number {
    const from = this.#at;
    this.#at += length;
    return from;
  }

  #takeExactly(length: number): number {
    const found = this.#length();
    if (found !== length) throw new Error(`a column has ${found} bytes instead of ${length}`);
    return this.#take(length);
  }
}

/** Further from 2000 than a number tells microseconds. */
function distant(micros: bigint): Date {
  const rest = micros % 1_000n;
  return new Date(EPOCH_MS + Number((micros - rest) / 1_000n) - (rest < 0n ? 1 : 0));
}
