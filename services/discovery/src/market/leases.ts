import { widened } from "@bourse/roster/widened";
import type { Slot } from "./ordered-set.ts";

/**
 * When leases end, the soonest first. A slot stands in line once at most, but for leases that were shortened: one that
 * is renewed is asked again when its old end comes, so that a renewal costs nothing here.
 */
export class Leases {
  #times = new Float64Array(64);
  #slots = new Int32Array(64);
  #size = 0;
  /** Per slot when it will be asked; Infinity for never. */
  #asked = new Float64Array(0);

  /** They stand still at this time. */
  heldMs = Infinity;

  /** As of when they are looked at. */
  asOfMs(nowMs: number): number {
    return Math.min(nowMs, this.heldMs);
  }

  get size(): number {
    return this.#size;
  }

  /** Says when the lease of a slot ends; Infinity when it has none. */
  set(slot: Slot, endMs: number): void {
    if (slot >= this.#asked.length) {
      const known = this.#asked.length;
      this.#asked = widened(this.#asked, Math.ceil(slot * 1.5) + 64);
      this.#asked.fill(Infinity, known);
    }
    if (endMs >= (this.#asked[slot] as number)) return;
    this.#asked[slot] = endMs;
    this.#push(endMs, slot);
  }

  /** Slots whose lease ends by `nowMs`, if what `endOf` says is still so; each is told once. */
  due(nowMs: number, endOf: (slot: Slot) => number): Slot[] {
    const due: Slot[] = [];
    while (this.#size > 0 && (this.#times[0] as number) <= nowMs) {
      const timeMs = this.#times[0] as number;
      const slot = this.#pop();
      if (this.#asked[slot] !== timeMs) continue;
      this.#asked[slot] = Infinity;
      const endMs = endOf(slot);
      if (endMs <= nowMs) due.push(slot);
      else if (endMs < Infinity) this.set(slot, endMs);
    }
    return due;
  }

  #push(timeMs: number, slot: Slot): void {
    if (this.#size === this.#slots.length) this.#makeRoom();
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((this.#times[parent] as number) <= timeMs) break;
      this.#copy(parent, at);
      at = parent;
    }
    this.#times[at] = timeMs;
    this.#slots[at] = slot;
  }

  #pop(): Slot {
    const first = this.#slots[0] as Slot;
    this.#size -= 1;
    const timeMs = this.#times[this.#size] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (right < this.#size && (this.#times[right] as number) < (this.#times[child] as number)) {
        child = right;
      }
      if ((this.#times[child] as number) >= timeMs) break;
      this.#copy(child, at);
      at = child;
    }
    this.#times[at] = timeMs;
    this.#slots[at] = this.#slots[this.#size] as Slot;
    return first;
  }

  #copy(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#slots[to] = this.#slots[from] as Slot;
  }

  /** Drops what no longer stands; widens when that is not half. */
  #makeRoom(): void {
    const standing: [number, Slot][] = [];
    for (let at = 0; at < this.#size; at += 1) {
      const timeMs = this.#times[at] as number;
      const slot = this.#slots[at] as Slot;
      if (this.#asked[slot] === timeMs) standing.push([timeMs, slot]);
    }
    const room =
      standing.length * 2 > this.#slots.length ? this.#slots.length * 2 : this.#slots.length;
    this.#times = new Float64Array(room);
    this.#slots = new Int32Array(room);
    // In order of time, which is a heap.
    standing.sort(([a], [b]) => a - b);
    for (const [at, [timeMs, slot]] of standing.entries()) {
      this.#times[at] = timeMs;
      this.#slots[at] = slot;
    }
    this.#size = standing.length;
  }
}
