import { bytesOf, type Field } from "./static-table.ts";

/** So many slots may be empty before the others move up. */
const EMPTY_MAX = 64;

/** The fields that were seen last, as many as its bytes allow: RFC 7541, 4. */
export class DynamicTable {
  /** Oldest first; those before `start` are gone. */
  readonly #fields: (Field | undefined)[] = [];
  #start = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The field that was added so many additions ago, 0 for the last one; undefined if it is not there. */
  at(age: number): Field | undefined {
    return this.#fields[this.#fields.length - 1 - age];
  }

  /** Adds a field; older ones make room. One that is larger than the table leaves it empty. */
  add(field: Field): void {
    const bytes = bytesOf(field.name, field.value);
    this.#evict(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#fields.push(field);
    this.#bytes += bytes;
  }

  /** Changes how many bytes it may have; the oldest fields make room. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(maxBytes: number): void {
    const fields = this.#fields;
    while (this.#bytes > maxBytes && this.#start < fields.length) {
      const { name, value } = fields[this.#start] as Field;
      this.#bytes -= bytesOf(name, value);
      fields[this.#start] = undefined;
      this.#start += 1;
    }
    if (this.#start > EMPTY_MAX && this.#start * 2 > fields.length) {
      fields.splice(0, this.#start);
      this.#start = 0;
    }
  }
}
