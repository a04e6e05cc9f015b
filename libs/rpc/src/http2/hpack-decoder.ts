import { CompressionError } from "./compression-error.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { type FieldCheck, isFieldName, isFieldValue } from "./field-syntax.ts";
import { NOTHING } from "./frames.ts";
import { decodeHuffman, huffmanBytesMax } from "./huffman.ts";
import { bytesOf, FIRST_DYNAMIC_INDEX, type Field, STATIC_FIELDS } from "./static-table.ts";

/** Why a block that can be read is no list of headers. */
export type HeaderFault = "malformed" | "too large";

/** The first bits of a field say what it is; those behind them begin a number. */
const INDEXED = 0x80;
const ADDED = 0x40;
const RESIZE = 0x20;
const HUFFMAN = 0x80;

/** Numbers have four bytes behind the first at most: more than any block or table is long. */
const SHIFT_MAX = 21;
/** Where short codes become text; longer ones get room of their own. */
const text = Buffer.allocUnsafeSlow(4096);

/** Reads the header blocks of one connection in the order they came: RFC 7541. */
export class HeaderDecoder {
  readonly #table: DynamicTable;
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  #block: Buffer = NOTHING;
  #at = 0;
  #wellFormed = true;

  /**
   * @param maxTableBytes what the dynamic table may take: 4096, or more if a setting told the peer so
   * @param maxListBytes how long a list may be, names and values and 32 bytes for each field
   */
  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#table = new DynamicTable(maxTableBytes);
    this.#maxTableBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
  }

  /**
   * The names and values of a whole block, in turn and in the order they came. A list that is too large, or has
   * a name or value that HTTP/2 does not know (RFC 9113, 8.2.1), is read to its end for the table's sake.
   *
   * @throws CompressionError for what is no block; the decoder is of no use afterwards
   */
  decode(block: Buffer): string[] | HeaderFault {
    const fields: string[] = [];
    let listBytes = 0;
    let wellFormed = true;
    this.#block = block;
    this.#at = 0;
    this.#resize();
    while (this.#at < block.length) {
      const { name, value, isName, isValue } = this.#field();
      wellFormed = wellFormed && isName && isValue;
      listBytes += bytesOf(name, value);
      if (listBytes <= this.#maxListBytes) fields.push(name, value);
    }
    // It may be a part of what was read from a socket, which would stay for as long as the connection is idle.
    this.#block = NOTHING;
    if (listBytes > this.#maxListBytes) return "too large";
    return wellFormed ? fields : "malformed";
  }

  /** Follows changes of the table's size, which may only stand at the beginning. */
  #resize(): void {
    for (;;) {
      const first = this.#block[this.#at];
      if (first === undefined || first < RESIZE || first >= ADDED) return;
      const maxBytes = this.#integer(RESIZE - 1);
      if (maxBytes > this.#maxTableBytes) throw new CompressionError("a table above its limit");
      this.#table.resize(maxBytes);
    }
  }

  #field(): Field {
    const first = this.#block[this.#at] as number;
    if (first >= INDEXED) return this.#indexed(this.#integer(INDEXED - 1));
    if (first >= ADDED) {
      const field = this.#literal(this.#integer(ADDED - 1));
      this.#table.add(field);
      return field;
    }
    if (first >= RESIZE) throw new CompressionError("a table size behind a field");
    // Whether a field must never be indexed matters to those who pass it on.
    return this.#literal(this.#integer(0x0f));
  }

  #indexed(index: number): Field {
    const field =
      index < FIRST_DYNAMIC_INDEX
        ? STATIC_FIELDS[index - 1]
        : this.#table.at(index - FIRST_DYNAMIC_INDEX);
    if (field === undefined) throw new CompressionError("an index of nothing");
    return field;
  }

  #literal(nameIndex: number): Field {
    if (nameIndex > 0) {
      const { name, isName } = this.#indexed(nameIndex);
      const value = this.#string(isFieldValue);
      return { name, value, isName, isValue: this.#wellFormed };
    }
    const name = this.#string(isFieldName);
    const isName = this.#wellFormed;
    const value = this.#string(isFieldValue);
    return { name, value, isName, isValue: this.#wellFormed };
  }

  #string(check: FieldCheck): string {
    const isHuffman = ((this.#block[this.#at] as number) & HUFFMAN) !== 0;
    const length = this.#integer(HUFFMAN - 1);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw new CompressionError("a string that is cut off");
    this.#at = end;
    if (!isHuffman) {
      this.#wellFormed = check(this.#block, start, end);
      return this.#block.toString("latin1", start, end);
    }
    const room = huffmanBytesMax(length);
    const out = room <= text.length ? text : Buffer.allocUnsafeSlow(room);
    const bytes = decodeHuffman(this.#block, start, end, out);
    this.#wellFormed = check(out, 0, bytes);
    return out.toString("latin1", 0, bytes);
  }

  /** A number whose first bits are those of `mask` in the next byte. */
  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= SHIFT_MAX; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new CompressionError("a number that is too large");
  }

  #byte(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new CompressionError("a block that is cut off");
    this.#at += 1;
    return byte;
  }
}
