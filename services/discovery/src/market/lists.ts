import { widened } from "@bourse/roster/widened";
import type { Slot } from "./ordered-set.ts";

/** Below this many numbers left over nothing is moved. */
const WASTE_MIN = 65_536;

/**
 * A list of whole numbers per slot, one behind the other in one array: a list costs its numbers and twelve bytes.
 *
 * Read it as `numbers[start[slot]]` up to `count[slot]` of them; what changes a list may move them all.
 */
export class Lists {
  numbers = new Int32Array(1_024);
  start = new Int32Array(0);
  count = new Int32Array(0);
  #room = new Int32Array(0);
  #end = 0;
  #waste = 0;

  /** Makes room for slots below this one. */
  grow(slots: number): void {
    this.start = widened(this.start, slots);
    this.count = widened(this.count, slots);
    this.#room = widened(this.#room, slots);
  }

  /** Sets the list of a slot. */
  set(slot: Slot, list: readonly number[]): void {
    if (list.length > (this.#room[slot] as number)) this.#move(slot, list.length);
    const { numbers } = this;
    const from = this.start[slot] as number;
    // Lists are short: to hand one to the engine costs more than to copy it.
    for (let at = 0; at < list.length; at += 1) numbers[from + at] = list[at] as number;
    this.count[slot] = list.length;
  }

  clear(slot: Slot): void {
    this.#waste += this.#room[slot] as number;
    this.#room[slot] = 0;
    this.count[slot] = 0;
    if (this.#waste > WASTE_MIN && this.#waste * 2 > this.#end) this.#compact();
  }

  /** Whether the list of a slot is this one. */
  equals(slot: Slot, list: readonly number[]): boolean {
    if (this.count[slot] !== list.length) return false;
    const from = this.start[slot] as number;
    for (let at = 0; at < list.length; at += 1) {
      if (this.numbers[from + at] !== list[at]) return false;
    }
    return true;
  }

  /** The list of a slot, as it is now. */
  of(slot: Slot): Int32Array {
    const from = this.start[slot] as number;
    return this.numbers.subarray(from, from + (this.count[slot] as number));
  }

  #move(slot: Slot, room: number): void {
    this.clear(slot);
    if (this.#end + room > this.numbers.length) {
      this.numbers = widened(this.numbers, Math.ceil((this.#end + room) * 1.5));
    }
    this.start[slot] = this.#end;
    this.#room[slot] = room;
    this.#end += room;
  }

  #compact(): void {
    const before = this.numbers;
    this.numbers = new Int32Array(Math.ceil((this.#end - this.#waste) * 1.25) + 1_024);
    let end = 0;
    for (let slot = 0; slot < this.start.length; slot += 1) {
      const count = this.count[slot] as number;
      const from = this.start[slot] as number;
      this.numbers.set(before.subarray(from, from + count), end);
      this.start[slot] = end;
      this.#room[slot] = count;
      end += count;
    }
    this.#end = end;
    this.#waste = 0;
  }
}
