import {
  bytesOf,
  FIRST_DYNAMIC_INDEX,
  STATIC_FIELDS,
  TABLE_BYTES_DEFAULT,
} from "./static-table.ts";

const INDEXED = 0x80;
const ADDED = 0x40;
const RESIZE = 0x20;
const PLAIN = 0x00;

/** A number takes five bytes at most. */
const NUMBER_BYTES_MAX = 5;
/** A text up to this many characters is copied here, above it by Node, which is slower to begin. */
const COPIED_LENGTH_MAX = 48;

/** What a table knows of a name: its values, and where they stand in the same order. */
interface KnownName {
  readonly values: string[];
  readonly places: number[];
}

const STATIC_NAMES = new Map<string, KnownName>();
for (const [at, { name, value }] of STATIC_FIELDS.entries())
  enter(STATIC_NAMES, name, value, at + 1);

/**
 * Writes the header blocks of one connection: RFC 7541. What recurs is added to the peer's table until that is
 * full, and so is the first field of each new name, for the name's sake. Nothing ever leaves the table: that
 * spares us to follow what the peer drops. All else is sent as it is: Huffman's code would save a quarter of a
 * request id and cost more than all the rest.
 */
export class HeaderEncoder {
  readonly #recurring: ReadonlySet<string>;
  /** Places are counted from the first field that was added. */
  #added = new Map<string, KnownName>();
  #count = 0;
  #freeBytes = TABLE_BYTES_DEFAULT;
  #tableBytes = TABLE_BYTES_DEFAULT;
  #resized = false;

  /** @param recurring names that have few values, all of which are worth to be remembered */
  constructor(recurring: ReadonlySet<string>) {
    this.#recurring = recurring;
  }

  /** Obeys the peer's SETTINGS_HEADER_TABLE_SIZE from the next block on. */
  setTableBytes(peerMax: number): void {
    const bytes = Math.min(peerMax, TABLE_BYTES_DEFAULT);
    if (bytes === this.#tableBytes) return;
    this.#tableBytes = bytes;
    this.#freeBytes = bytes;
    this.#added = new Map();
    this.#count = 0;
    this.#resized = true;
  }

  /**
   * Writes the block of names and values, in turn, to `out` from `at` on, where it has room for `blockBytesMax(list)`;
   * returns its end. Names are in lower case, and all is printable ASCII. What was written must be sent, and in
   * this order.
   */
  write(list: readonly string[], out: Buffer, at: number): number {
    let end = at;
    if (this.#resized) {
      // Through zero, so that the peer's table is as empty as ours whatever was in it.
      end = writeNumber(out, end, RESIZE, RESIZE - 1, 0);
      end = writeNumber(out, end, RESIZE, RESIZE - 1, this.#tableBytes);
      this.#resized = false;
    }
    for (let field = 0; field < list.length; field += 2) {
      end = this.#field(out, end, list[field] as string, list[field + 1] as string);
    }
    return end;
  }

  #field(out: Buffer, at: number, name: string, value: string): number {
    const known = STATIC_NAMES.get(name);
    const fixed = known === undefined ? -1 : known.values.indexOf(value);
    if (fixed >= 0) {
      return writeNumber(
        out,
        at,
        INDEXED,
        INDEXED - 1,
        (known as KnownName).places[fixed] as number,
      );
    }
    const added = this.#added.get(name);
    const place = added === undefined ? -1 : added.values.indexOf(value);
    if (place >= 0) {
      const index = this.#indexOf((added as KnownName).places[place] as number);
      return writeNumber(out, at, INDEXED, INDEXED - 1, index);
    }
    const nameIndex = known?.places[0] ?? (added && this.#indexOf(added.places[0] as number)) ?? 0;
    const isAdded = (nameIndex === 0 || this.#recurring.has(name)) && this.#add(name, value);
    const end = isAdded
      ? writeNumber(out, at, ADDED, ADDED - 1, nameIndex)
      : writeNumber(out, at, PLAIN, 0x0f, nameIndex);
    return writeText(out, nameIndex > 0 ? end : writeText(out, end, name), value);
  }

  /** Adds a field if there is room. */
  #add(name: string, value: string): boolean {
    const bytes = bytesOf(name, value);
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    enter(this.#added, name, value, this.#count);
    this.#count += 1;
    return true;
  }

  #indexOf(place: number): number {
    return FIRST_DYNAMIC_INDEX + this.#count - 1 - place;
  }
}

/** The bytes that a block takes at most. */
export function blockBytesMax(list: readonly string[]): number {
  let bytes = (2 + list.length) * NUMBER_BYTES_MAX;
  for (const text of list) bytes += NUMBER_BYTES_MAX + text.length;
  return bytes;
}

function enter(names: Map<string, KnownName>, name: string, value: string, place: number): void {
  const known = names.get(name);
  if (known === undefined) {
    names.set(name, { values: [value], places: [place] });
  } else {
    known.values.push(value);
    known.places.push(place);
  }
}

function writeText(out: Buffer, at: number, text: string): number {
  const start = writeNumber(out, at, PLAIN, 0x7f, text.length);
  if (text.length > COPIED_LENGTH_MAX) return start + out.write(text, start, "latin1");
  for (let letter = 0; letter < text.length; letter += 1)
    out[start + letter] = text.charCodeAt(letter);
  return start + text.length;
}

/** A number whose first bits are those of `mask` in a byte that begins with `first`. */
function writeNumber(out: Buffer, at: number, first: number, mask: number, value: number): number {
  if (value < mask) {
    out[at] = first | value;
    return at + 1;
  }
  out[at] = first | mask;
  let end = at + 1;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) {
    out[end] = 0x80 | (rest & 0x7f);
    end += 1;
  }
  out[end] = rest;
  return end + 1;
}
