import type { Slot } from "./ordered-set.ts";
import { comparison, type Part } from "./orders.ts";

/** So few are put in order one by one. */
const FEW = 12;

/**
 * Puts the first `count` slots (all, when there are fewer) in order at the front; the others stand behind them in no
 * order. Costs a look at each slot, and the sorting of the first ones only.
 *
 * A quicksort that looks at one part at a time, its figures read once into an array: slots that are equal in it are
 * sorted by the next part.
 */
export function sortFirst(slots: Int32Array, parts: readonly Part[], count: number): void {
  new Sorter(slots, parts, count).sortBy(0, 0, slots.length);
}

class Sorter {
  readonly #slots: Int32Array;
  readonly #keys: Float64Array;
  readonly #parts: readonly Part[];
  readonly #count: number;
  #seed = 1;

  constructor(slots: Int32Array, parts: readonly Part[], count: number) {
    this.#slots = slots;
    this.#keys = new Float64Array(slots.length);
    this.#parts = parts;
    this.#count = count;
  }

  /** Sorts slots, which are equal in the parts before, by a part and those behind it. */
  sortBy(nth: number, from: number, to: number): void {
    const part = this.#parts[nth];
    if (part === undefined || from >= this.#count) return;
    if (to - from <= FEW) {
      this.#insert(comparison(this.#parts.slice(nth)), from, to);
      return;
    }
    for (let at = from; at < to; at += 1) this.#keys[at] = part(this.#slots[at] as Slot);
    this.#partition(nth, from, to);
  }

  #partition(nth: number, from: number, to: number): void {
    const [slots, keys] = [this.#slots, this.#keys];
    let low = from;
    while (low < to && low < this.#count) {
      const pivot = this.#pivotOf(low, to);
      // Smaller ones up to `smaller`, equal ones up to `at`, larger ones from `larger` on.
      let [smaller, at, larger] = [low, low, to];
      while (at < larger) {
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
      this.#partition(nth, low, smaller);
      this.sortBy(nth + 1, smaller, larger);
      low = larger;
    }
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
    const slots = this.#slots;
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
