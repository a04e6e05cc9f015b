import { Sums } from "./sums.ts";

/** The number under which an agent is kept; small, and given to another once its agent is gone. */
export type Slot = number;

/** An order of slots, in which no two stand alike. What is known of the slot that is looked for is read once. */
export interface Ordering {
  /** Says which slot others are compared with from now on. */
  aim(slot: Slot): void;
  /** Whether a slot comes before that one. */
  isBefore(other: Slot): boolean;
}

/** A chunk is split when it is full, and joined with its neighbour when both fit into half of one. */
const CHUNK_MAX = 512;
const CHUNK_JOINED_MAX = CHUNK_MAX / 2;
/** How full chunks are that are made all at once: room for newcomers, little waste. */
const CHUNK_FILLED = 448;
const CHUNK_FIRST = 8;

/**
 * Slots in an order that is kept under change: sorted chunks, as the leaves of a B+ tree, with counts that give each
 * slot its rank. Every operation costs the logarithm of the size, and a chunk moved in memory; an entry takes about six
 * bytes.
 *
 * The ordering looks at what is known of the agents: take a slot out before that changes, and put it in afterwards.
 */
export class OrderedSet {
  readonly #ordering: Ordering;
  #chunks: Int32Array[] = [];
  #counts: number[] = [];
  readonly #sums = new Sums();
  #size = 0;

  constructor(ordering: Ordering) {
    this.#ordering = ordering;
  }

  /** A set of slots that are in order already. */
  static of(sorted: Int32Array, ordering: Ordering): OrderedSet {
    const set = new OrderedSet(ordering);
    for (let from = 0; from < sorted.length; from += CHUNK_FILLED) {
      const part = sorted.subarray(from, from + CHUNK_FILLED);
      const chunk = new Int32Array(sorted.length > CHUNK_FILLED ? CHUNK_MAX : roomFor(part.length));
      chunk.set(part);
      set.#chunks.push(chunk);
      set.#counts.push(part.length);
    }
    set.#size = sorted.length;
    set.#sums.reset(set.#counts);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  /** Puts a slot in that comes after all others. */
  append(slot: Slot): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push(new Int32Array(CHUNK_FIRST));
      this.#counts.push(0);
      this.#sums.reset(this.#counts);
    }
    const index = this.#chunks.length - 1;
    this.#put(index, this.#counts[index] as number, slot);
  }

  /** Puts a slot in; false when it is in already. */
  insert(slot: Slot): boolean {
    const index = this.#chunkFor(slot);
    if (index < this.#chunks.length) return this.#insertAt(index, slot);
    this.append(slot);
    return true;
  }

  /** Puts a slot in unless all others come before it, or it is in already; false when so. */
  insertBetween(slot: Slot): boolean {
    const index = this.#chunkFor(slot);
    return index < this.#chunks.length && this.#insertAt(index, slot);
  }

  #insertAt(index: number, slot: Slot): boolean {
    const at = this.#placeIn(index);
    const chunk = this.#chunks[index] as Int32Array;
    const count = this.#counts[index] as number;
    if (at < count && chunk[at] === slot) return false;
    this.#put(index, at, slot);
    return true;
  }

  /** Takes a slot out; false when it is not in. What is known of its agent must be as when it was put in. */
  remove(slot: Slot): boolean {
    // The first one goes most often: who is picked moves back.
    const isFirst = this.#size > 0 && (this.#chunks[0] as Int32Array)[0] === slot;
    const index = isFirst ? 0 : this.#chunkFor(slot);
    if (index === this.#chunks.length) return false;
    const at = isFirst ? 0 : this.#placeIn(index);
    const chunk = this.#chunks[index] as Int32Array;
    const count = this.#counts[index] as number;
    if (at === count || chunk[at] !== slot) return false;
    chunk.copyWithin(at, at + 1, count);
    this.#counts[index] = count - 1;
    this.#size -= 1;
    this.#sums.add(index, -1);
    this.#join(index);
    return true;
  }

  has(slot: Slot): boolean {
    const rank = this.rankOf(slot);
    return rank < this.#size && this.at(rank) === slot;
  }

  /** The slot of a rank, from 0 to below the size. */
  at(rank: number): Slot {
    const index = this.#find(rank);
    return (this.#chunks[index] as Int32Array)[rank - this.#sums.found] as Slot;
  }

  /** The rank of a slot, or the one that it would get. */
  rankOf(slot: Slot): number {
    const index = this.#chunkFor(slot);
    if (index === this.#chunks.length) return this.#size;
    return this.#sums.before(index) + this.#placeIn(index);
  }

  /** How many slots are before the first that is not: `isBefore` holds for a first part of the order and not after. */
  lowerBound(isBefore: (slot: Slot) => boolean): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#last(middle))) low = middle + 1;
      else high = middle;
    }
    if (low === this.#chunks.length) return this.#size;
    const chunk = this.#chunks[low] as Int32Array;
    let from = 0;
    let to = this.#counts[low] as number;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (isBefore(chunk[middle] as Slot)) from = middle + 1;
      else to = middle;
    }
    return this.#sums.before(low) + from;
  }

  /** The slots in order from a rank on. The set must not change meanwhile. */
  *walk(fromRank = 0): Generator<Slot, void, undefined> {
    if (fromRank >= this.#size) return;
    const first = this.#find(fromRank);
    let at = fromRank - this.#sums.found;
    for (let index = first; index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] as Int32Array;
      const count = this.#counts[index] as number;
      for (; at < count; at += 1) yield chunk[at] as Slot;
      at = 0;
    }
  }

  /** All slots in order. */
  toArray(): Int32Array<ArrayBuffer> {
    const all = new Int32Array(this.#size);
    let at = 0;
    for (const [index, chunk] of this.#chunks.entries()) {
      const count = this.#counts[index] as number;
      all.set(chunk.subarray(0, count), at);
      at += count;
    }
    return all;
  }

  /** Aims at a slot. The first chunk whose last is not before it; the number of chunks when there is none. */
  #chunkFor(slot: Slot): number {
    this.#ordering.aim(slot);
    let low = 0;
    let high = this.#chunks.length;
    // Slots often come in order.
    if (high > 0 && this.#ordering.isBefore(this.#last(high - 1))) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ordering.isBefore(this.#last(middle))) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where in a chunk the slot that was aimed at stands, or would stand. */
  #placeIn(index: number): number {
    const chunk = this.#chunks[index] as Int32Array;
    let low = 0;
    let high = this.#counts[index] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ordering.isBefore(chunk[middle] as Slot)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #last(index: number): Slot {
    return (this.#chunks[index] as Int32Array)[(this.#counts[index] as number) - 1] as Slot;
  }

  /** The chunk that holds a rank; the sums know then how many slots are before it. */
  #find(rank: number): number {
    if (rank < 0 || rank >= this.#size) throw new RangeError(`no rank ${rank} of ${this.#size}`);
    return this.#sums.find(rank);
  }

  #put(index: number, at: number, slot: Slot): void {
    const count = this.#counts[index] as number;
    let chunk = this.#chunks[index] as Int32Array;
    if (count === CHUNK_MAX) {
      this.#split(index);
      const left = this.#counts[index] as number;
      if (at > left) this.#put(index + 1, at - left, slot);
      else this.#put(index, at, slot);
      return;
    }
    if (count === chunk.length) {
      const wider = new Int32Array(Math.min(CHUNK_MAX, count * 2));
      wider.set(chunk);
      this.#chunks[index] = wider;
      chunk = wider;
    }
    chunk.copyWithin(at + 1, at, count);
    chunk[at] = slot;
    this.#counts[index] = count + 1;
    this.#size += 1;
    this.#sums.add(index, 1);
  }

  #split(index: number): void {
    const chunk = this.#chunks[index] as Int32Array;
    // At the end of the set slots often come in order: what stays behind is left full.
    const left = index === this.#chunks.length - 1 ? CHUNK_FILLED : CHUNK_MAX / 2;
    const right = new Int32Array(CHUNK_MAX);
    right.set(chunk.subarray(left));
    this.#chunks.splice(index + 1, 0, right);
    this.#counts.splice(index, 1, left, CHUNK_MAX - left);
    this.#sums.reset(this.#counts);
  }

  #join(index: number): void {
    const next = this.#chunks[index + 1];
    const count = this.#counts[index] as number;
    const other = this.#counts[index + 1] ?? 0;
    if (count > 0 && (next === undefined || count + other > CHUNK_JOINED_MAX)) return;
    if (count === 0) {
      this.#chunks.splice(index, 1);
      this.#counts.splice(index, 1);
    } else {
      const joined = new Int32Array(CHUNK_MAX);
      joined.set((this.#chunks[index] as Int32Array).subarray(0, count));
      joined.set((next as Int32Array).subarray(0, other), count);
      this.#chunks.splice(index, 2, joined);
      this.#counts.splice(index, 2, count + other);
    }
    this.#sums.reset(this.#counts);
  }
}

/** The power of two that is at least as large, from 8. */
function roomFor(count: number): number {
  return Math.max(CHUNK_FIRST, 2 ** Math.ceil(Math.log2(count)));
}
