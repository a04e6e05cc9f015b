import { widened } from "./widened.ts";

const ROOM_FIRST = 64;

/**
 * Agents by id: the ids, and the slot of each.
 *
 * No `Map`: what is a key of one the engine enters into its table of all names, and each collection goes through that
 * while everything waits, for 20 ms with a million of them.
 */
export class Ids {
  /** Ids are chosen by their agents: nobody shall know which of them get in each other's way. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  readonly #ids: (string | undefined)[] = [];
  #hashes = new Int32Array(ROOM_FIRST);
  /** Slots, each one more than it is, from where its hash points to on; 0 where there is none. Half full at most. */
  #table = new Int32Array(2 * ROOM_FIRST);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The slot of an id. */
  slotOf(id: string): number | undefined {
    const slot = this.#slotAt(this.#find(id, this.#hashOf(id)));
    return slot === -1 ? undefined : slot;
  }

  /** All ids, in no order. */
  *all(): Generator<string, void, undefined> {
    for (const id of this.#ids) if (id !== undefined) yield id;
  }

  /** All slots that have an id. */
  *slots(): Generator<number, void, undefined> {
    for (const [slot, id] of this.#ids.entries()) if (id !== undefined) yield slot;
  }

  /** Gives an id that has none a slot that nobody has. */
  add(id: string, slot: number): void {
    if (2 * (this.#size + 1) > this.#table.length) this.#widen();
    if (slot >= this.#hashes.length) {
      this.#hashes = widened(this.#hashes, Math.ceil((slot + 1) * 1.5));
    }
    const hash = this.#hashOf(id);
    this.#table[this.#find(id, hash)] = slot + 1;
    this.#hashes[slot] = hash;
    this.#ids[slot] = id;
    this.#size += 1;
  }

  /** Takes an id out; answers with the slot that it had. */
  remove(id: string): number | undefined {
    let free = this.#find(id, this.#hashOf(id));
    const slot = this.#slotAt(free);
    if (slot === -1) return undefined;
    this.#ids[slot] = undefined;
    this.#size -= 1;
    // Whoever stands behind it because it was there moves up.
    const last = this.#table.length - 1;
    for (let at = free; ; ) {
      at = (at + 1) & last;
      const other = this.#slotAt(at);
      if (other === -1) break;
      const home = (this.#hashes[other] as number) & last;
      if (((at - home) & last) < ((at - free) & last)) continue;
      this.#table[free] = other + 1;
      free = at;
    }
    this.#table[free] = 0;
    return slot;
  }

  /** Where an id stands, or would stand. */
  #find(id: string, hash: number): number {
    const last = this.#table.length - 1;
    for (let at = hash & last; ; at = (at + 1) & last) {
      const slot = this.#slotAt(at);
      if (slot === -1 || (this.#hashes[slot] === hash && this.#ids[slot] === id)) return at;
    }
  }

  /** -1 for none. */
  #slotAt(at: number): number {
    return (this.#table[at] as number) - 1;
  }

  #hashOf(id: string): number {
    let hash = this.#seed;
    for (let at = 0; at < id.length; at += 1) {
      hash = Math.imul(hash ^ id.charCodeAt(at), 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    return hash | 0;
  }

  #widen(): void {
    const before = this.#table;
    const last = 2 * before.length - 1;
    this.#table = new Int32Array(2 * before.length);
    for (const entry of before) {
      if (entry === 0) continue;
      let at = (this.#hashes[entry - 1] as number) & last;
      while (this.#table[at] !== 0) at = (at + 1) & last;
      this.#table[at] = entry;
    }
  }
}
