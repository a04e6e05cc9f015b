import { escapeLiteral, type Pool, Query, type QueryConfig } from "pg";
import { BinaryRow } from "./binary-row.ts";

export type { BinaryRow } from "./binary-row.ts";

/**
 * Selects rows in binary, for those who read very many: neither side writes or reads a decimal or a hexadecimal digit,
 * which costs a fifth of what rows of text cost here, and two thirds there. pg would take binary columns of a usual
 * query for texts, so this is a COPY. It takes no parameters: write values by `literal`. It is planned each time.
 *
 * @param read makes of a row what is returned of it; the row is another one afterwards
 * @throws what `read` throws, once all rows have arrived
 */
export async function copyOut<T>(
  pool: Pool,
  select: string,
  read: (row: BinaryRow) => T,
): Promise<readonly T[]> {
  const copy = new CopyOut(select, read);
  // A pool takes a query that knows how to submit itself as it takes its text.
  await pool.query(copy as unknown as QueryConfig);
  return copy.finish();
}

/** A value as SQL has it. */
export function literal(value: string | number | bigint | Date): string {
  if (typeof value === "string") return escapeLiteral(value);
  return value instanceof Date ? escapeLiteral(value.toISOString()) : String(value);
}

/** Signature, flags, and the length of an extension that there is none of. */
const HEAD_BYTES = 19;
/** In the place of a number of columns. */
const END = -1;

class CopyOut<T> extends Query {
  readonly #read: (row: BinaryRow) => T;
  readonly #row = new BinaryRow();
  readonly #found: T[] = [];
  #hasBegun = false;
  #fault: unknown;

  constructor(select: string, read: (row: BinaryRow) => T) {
    super({ text: `copy (${select}) to stdout (format binary)` });
    this.#read = read;
  }

  /** Called by pg; what it throws would end the process. Postgres sends each row by itself, the first with the head. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    const at = this.#hasBegun ? 0 : HEAD_BYTES;
    this.#hasBegun = true;
    if (this.#fault !== undefined || chunk.readInt16BE(at) === END) return;
    this.#row.begin(chunk, at + 2);
    try {
      this.#found.push(this.#read(this.#row));
    } catch (error) {
      this.#fault = error;
    }
  }

  finish(): readonly T[] {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#found;
  }
}
