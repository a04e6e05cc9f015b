import { widened } from "@bourse/roster/widened";

/** Whose pick, and when it counts. */
export interface Pick {
  readonly slot: number;
  readonly atMs: number;
}

/** Room for the first picks, a power of two; doubled when it is full. */
const ROOM_FIRST = 1_024;
const NOBODY = -1;

/**
 * Who was picked of late, by this process: picks in a ring, numbered as they come, in which those of one agent are
 * linked. A pick takes 20 bytes as long as it is in the window.
 */
export class Picks {
  readonly #windowMs: number;
  #times = new Float64Array(ROOM_FIRST);
  #slots = new Int32Array(ROOM_FIRST);
  /** The number of the pick of the same agent before. */
  #before = new Float64Array(ROOM_FIRST);
  /** Per slot the number of its latest pick. */
  #latest = new Float64Array(0);
  /** The number of the oldest pick that is remembered, and of the next one. */
  #oldest = 1;
  #next = 1;

  /** Picks within a sliding window of `windowMs`: its start is outside, its end inside. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** How many picks are remembered. */
  get size(): number {
    return this.#next - this.#oldest;
  }

  /** Remembers a pick; answers with the time that it counts for. */
  record(slot: number, atMs: number): number {
    if (this.size === this.#slots.length) this.#widen();
    if (slot >= this.#latest.length) {
      this.#latest = widened(this.#latest, Math.ceil(slot * 1.5) + 64);
    }
    const place = this.#placeOf(this.#next);
    // A clock that is set back must not put the times out of order.
    const timeMs = Math.max(atMs, this.#newestMs());
    this.#times[place] = timeMs;
    this.#slots[place] = slot;
    this.#before[place] = this.#latest[slot] as number;
    this.#latest[slot] = this.#next;
    this.#next += 1;
    return timeMs;
  }

  /**
   * Takes out the oldest pick if it has left the window that ends at `nowMs`, or if the newest lies a window or more
   * ahead, by a clock that was set back since. Answers with whose it was and when; undefined when nothing is to leave.
   */
  expire(nowMs: number): Pick | undefined {
    while (this.size > 0) {
      const place = this.#placeOf(this.#oldest);
      const atMs = this.#times[place] as number;
      const isAhead = this.#newestMs() >= nowMs + this.#windowMs;
      if (atMs > nowMs - this.#windowMs && !isAhead) return undefined;
      this.#oldest += 1;
      const slot = this.#slots[place] as number;
      if (slot !== NOBODY) return { slot, atMs };
    }
    return undefined;
  }

  /** How many of the picks of an agent that are remembered came after a moment. */
  count(slot: number, sinceMs = -Infinity): number {
    let count = 0;
    for (let pick = this.#latestOf(slot); pick >= this.#oldest; count += 1) {
      const place = this.#placeOf(pick);
      if ((this.#times[place] as number) <= sinceMs) break;
      pick = this.#before[place] as number;
    }
    return count;
  }

  /** Forgets the picks of an agent: its slot is given to another. */
  forget(slot: number): void {
    let pick = this.#latestOf(slot);
    if (pick === 0) return;
    this.#latest[slot] = 0;
    while (pick >= this.#oldest) {
      const place = this.#placeOf(pick);
      this.#slots[place] = NOBODY;
      pick = this.#before[place] as number;
    }
  }

  #latestOf(slot: number): number {
    return this.#latest[slot] ?? 0;
  }

  #newestMs(): number {
    return this.size === 0 ? -Infinity : (this.#times[this.#placeOf(this.#next - 1)] as number);
  }

  #placeOf(pick: number): number {
    return pick % this.#slots.length;
  }

  #widen(): void {
    const [times, slots, before] = [this.#times, this.#slots, this.#before];
    const room = slots.length * 2;
    this.#times = new Float64Array(room);
    this.#slots = new Int32Array(room);
    this.#before = new Float64Array(room);
    for (let pick = this.#oldest; pick < this.#next; pick += 1) {
      const place = pick % slots.length;
      const to = this.#placeOf(pick);
      this.#times[to] = times[place] as number;
      this.#slots[to] = slots[place] as number;
      this.#before[to] = before[place] as number;
    }
  }
}
