/**
 * Values that come and go, such as calls under way.
 *
 * Not a Map or Set of them: whenever one of these makes room for what comes, it leaves behind a table with all that it
 * held, and once it has lived through a large collection, each such table is taken for old at birth. Until the next
 * large one they keep whatever went through them, and each small collection copies that. What leaves a slot is gone.
 */
export class Slots<V> {
  readonly #values: (V | undefined)[] = [];
  readonly #free: number[] = [];

  /** The slot that the value has from now on until it is removed, once. */
  add(value: V): number {
    const slot = this.#free.pop() ?? this.#values.length;
    this.#values[slot] = value;
    return slot;
  }

  at(slot: number): V | undefined {
    return this.#values[slot];
  }

  /** Takes a value in the place of the one that has the slot. */
  put(slot: number, value: V): void {
    this.#values[slot] = value;
  }

  remove(slot: number): void {
    this.#values[slot] = undefined;
    this.#free.push(slot);
  }

  /** Goes by those that are there when it comes by, in no order; they may leave meanwhile. */
  *[Symbol.iterator](): Generator<V, void, undefined> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }
}

/** Slots that are found by keys, which take little themselves. */
export class SlotMap<K extends number | string, V> {
  readonly #slots = new Slots<V>();
  readonly #slotOf = new Map<K, number>();

  get size(): number {
    return this.#slotOf.size;
  }

  get(key: K): V | undefined {
    const slot = this.#slotOf.get(key);
    return slot === undefined ? undefined : this.#slots.at(slot);
  }

  has(key: K): boolean {
    return this.#slotOf.has(key);
  }

  /** In the order in which they came. */
  keys(): Iterable<K> {
    return this.#slotOf.keys();
  }

  set(key: K, value: V): void {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) this.#slotOf.set(key, this.#slots.add(value));
    else this.#slots.put(slot, value);
  }

  clear(): void {
    for (const key of this.#slotOf.keys()) this.delete(key);
  }

  delete(key: K): void {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) return;
    this.#slotOf.delete(key);
    this.#slots.remove(slot);
  }

  /** As `Slots` goes by its values. */
  [Symbol.iterator](): Generator<V, void, undefined> {
    return this.#slots[Symbol.iterator]();
  }
}
