import { widened } from "./widened.ts";

/** Texts begin at multiples of so many bytes. */
const UNIT = 16;
/** Units of a chunk: a megabyte. */
const CHUNK = 1 << 16;
/** Units of the longest text that lies in a chunk: of longer ones few would fit. */
const LONGEST = CHUNK / 16;

/**
 * A text of one byte a character for each slot, kept beside the heap: a million strings in it would be marked and moved
 * whenever it is collected, for a tenth of a second at a time.
 *
 * A text stands where it is as long as it needs as many units; a place that was left goes to the next text of as many.
 * So the memory is at most what the texts of each length took together when they were most.
 */
export class Texts {
  readonly #chunks: Buffer[] = [];
  /** Where the text of a slot begins, in units over all chunks, and how many characters it has. */
  #places = new Int32Array(1_024);
  #lengths = new Int32Array(1_024);
  /** Places that were left, by their units. */
  readonly #free: number[][] = [];
  readonly #long = new Map<number, string>();
  /** The unit behind the last place. */
  #end = 0;

  /** The text of a slot; empty when it has none. */
  get(slot: number): string {
    const length = this.#lengths[slot] ?? 0;
    if (unitsOf(length) > LONGEST) return this.#long.get(slot) ?? "";
    const place = this.#places[slot] ?? 0;
    const from = byteOf(place);
    return this.#chunks[chunkOf(place)]?.toString("latin1", from, from + length) ?? "";
  }

  /**
   * Sets the text of a slot.
   * @param slot a whole number from 0 on; all numbers below the largest take eight bytes
   * @param text of characters up to U+00FF; an empty one leaves the slot without
   */
  set(slot: number, text: string): void {
    this.#makeRoom(slot);
    const units = unitsOf(text.length);
    const before = unitsOf(this.#lengths[slot] as number);
    if (units !== before) {
      this.#leave(slot, before);
      this.#places[slot] = this.#take(units);
    }
    this.#lengths[slot] = text.length;
    if (units > LONGEST) {
      this.#long.set(slot, text);
      return;
    }
    const place = this.#places[slot] as number;
    this.#chunks[chunkOf(place)]?.write(text, byteOf(place), "latin1");
  }

  #leave(slot: number, units: number): void {
    if (units > LONGEST) this.#long.delete(slot);
    else this.#give(this.#places[slot] as number, units);
  }

  #give(place: number, units: number): void {
    if (units === 0) return;
    const left = this.#free[units];
    if (left === undefined) this.#free[units] = [place];
    else left.push(place);
  }

  #take(units: number): number {
    if (units === 0 || units > LONGEST) return 0;
    const left = this.#free[units]?.pop();
    if (left !== undefined) return left;
    const room = this.#chunks.length * CHUNK - this.#end;
    if (room < units) {
      this.#give(this.#end, room);
      this.#end = this.#chunks.length * CHUNK;
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK * UNIT));
    }
    const place = this.#end;
    this.#end += units;
    return place;
  }

  #makeRoom(slot: number): void {
    if (slot < this.#places.length) return;
    const length = Math.ceil((slot + 1) * 1.5);
    this.#places = widened(this.#places, length);
    this.#lengths = widened(this.#lengths, length);
  }
}

function unitsOf(length: number): number {
  return Math.ceil(length / UNIT);
}

function chunkOf(place: number): number {
  return Math.floor(place / CHUNK);
}

function byteOf(place: number): number {
  return (place % CHUNK) * UNIT;
}
