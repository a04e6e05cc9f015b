import type { Slot } from "./ordered-set.ts";
import { comparison, type Part } from "./orders.ts";

/** So few are put in order one by one. */
const FEW = 12;
/** To read a figure costs as much as so many comparisons of two that were read. */
const READ = 4;

/**
 * Puts the first `count` slots (all, when there are fewer) in order at the front; the others stand behind them in no
 * order. Costs a look at each slot, and the sorting of the first ones only.
 */
export function sortFirst(slots: Int32Array, parts: readonly Part[], count: number): void {
  new Sorter(slots, parts, count).step(Infinity);
}

/** Places that are equal in the parts before the `nth`, while they are sorted by that. */
interface Range {
  readonly nth: number;
  readonly from: number;
  readonly to: number;
  /** Up to where their figures are read. */
  read: number;
  /** NaN until they are parted: the smaller up to `smaller`, those as large up to `at`, the larger from `larger` on. */
  pivot: number;
  smaller: number;
  at: number;
  larger: number;
}

/**
 * Puts the first of some slots in order, in as many steps as one likes; figures of agents may change between these, but
 * then it is not known where such an agent stands.
 *
 * A quicksort that looks at one part at a time, its figures read once into an array: slots that are equal in it are
 * sorted by the next part.
 */
export class Sorter {
  readonly slots: Int32Array;
  readonly #keys: Float64Array;
  readonly #parts: readonly Part[];
  readonly #count: number;
  /** What is left to do, the first part of the order last. */
  readonly #ranges: Range[];
  #seed = 1;

  constructor(slots: Int32Array, parts: readonly Part[], count: number) {
    this.slots = slots;
    this.#keys = new Float64Array(slots.length);
    this.#parts = parts;
    this.#count = count;
    this.#ranges = [rangeOf(0, 0, slots.length, 0)];
  }

  /** Reads so many figures more, or does as much otherwise; answers whether all is in order. */
  step(count: number): boolean {
    let left = count * READ;
    while (left > 0) {
      const range = this.#ranges.pop();
      if (range === undefined) return true;
      const { nth, from, to } = range;
      if (from >= this.#count || to - from < 2 || nth === this.#parts.length) continue;
      left -= 1;
      if (to - from <= FEW && range.read === from) {
        left -= (to - from) * READ;
        this.#insert(comparison(this.#parts.slice(nth)), from, to);
      } else if (range.read < to) left -= this.#read(range, left);
      else left -= this.#part(range, left);
    }
    return this.#ranges.length === 0;
  }

  #read(range: Range, most: number): number {
    const { slots } = this;
    const [keys, part] = [this.#keys, this.#parts[range.nth] as Part];
    const begin = range.read;
    const end = Math.min(range.to, begin + Math.ceil(most / READ));
    for (let at = begin; at < end; at += 1) keys[at] = part(slots[at] as Slot);
    range.read = end;
    this.#ranges.push(range);
    return (end - begin) * READ;
  }

  #part(range: Range, most: number): number {
    const { slots } = this;
    const keys = this.#keys;
    const { nth, from, to } = range;
    let { smaller, at, larger } = range;
    if (Number.isNaN(range.pivot)) range.pivot = this.#pivotOf(from, to);
    const { pivot } = range;
    let looks = 0;
    for (; at < larger && looks < most; looks += 1) {
      const key = keys[at] as number;
      if (key === pivot) {
        at += 1;
        continue;
      }
      const other = key < pivot ? smaller++ : --larger;
      const slot = slots[at] as Slot;
      slots[at] = slots[other] as Slot;
      keys[at] = keys[other] as number;
      slots[other] = slot;
      keys[other] = key;
      if (key < pivot) at += 1;
    }
    if (at < larger) {
      Object.assign(range, { smaller, at, larger });
      this.#ranges.push(range);
    } else {
      this.#ranges.push(
        rangeOf(nth, larger, to, to),
        rangeOf(nth + 1, smaller, larger, smaller),
        rangeOf(nth, from, smaller, smaller),
      );
    }
    return looks;
  }

  /** The middle of three that are taken anywhere: whoever made the market cannot know where. */
  #pivotOf(low: number, high: number): number {
    const [a, b, c] = [this.#any(low, high), this.#any(low, high), this.#any(low, high)];
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  }

  #any(low: number, high: number): number {
    this.#seed = Math.imul(this.#seed, 1_103_515_245) + 12_345;
    return this.#keys[low + ((this.#seed >>> 8) % (high - low))] as number;
  }

  #insert(compare: (a: Slot, b: Slot) => number, from: number, to: number): void {
    const { slots } = this;
    for (let next = from + 1; next < to; next += 1) {
      const slot = slots[next] as Slot;
      let at = next;
      for (; at > from && compare(slots[at - 1] as Slot, slot) > 0; at -= 1) {
        slots[at] = slots[at - 1] as Slot;
      }
      slots[at] = slot;
    }
  }
}

function rangeOf(nth: number, from: number, to: number, read: number): Range {
  return { nth, from, to, read, pivot: Number.NaN, smaller: from, at: from, larger: to };
}
