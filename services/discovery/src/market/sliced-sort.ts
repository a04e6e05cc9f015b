import type { Making } from "./maker.ts";
import { OrderedSet, type Slot } from "./ordered-set.ts";
import { orderingOf, type Part } from "./orders.ts";
import { Sorter } from "./sort-first.ts";

/** To put an agent into its place costs as much as so many looks. */
const PUT = 8;

/** What is put in order: the first so many. */
export interface Sorted {
  /** By id. */
  readonly members: OrderedSet;
  /** The last one is the id. */
  readonly parts: readonly Part[];
  readonly wanted: number;
}

/**
 * The first agents of an order, which are found in slices, between which the market changes: whoever changes is taken
 * out and put into its place in the end, so that what is found holds then, exactly.
 */
export class SlicedSort implements Making {
  readonly key = this;
  readonly #sorted: Sorted;
  readonly #done: (first: OrderedSet, isWhole: boolean) => void;
  readonly #first: OrderedSet;
  /** Whoever changed since it began, and of these those that are still to be put into their places. */
  readonly #touched = new Set<Slot>();
  readonly #late = new Set<Slot>();
  #slots: Int32Array | undefined;
  #sorter: Sorter | undefined;
  #isWhole = false;
  #at = 0;
  #isOver = false;

  /** `done` is told of those that stand in order, and whether these are all members. */
  constructor(sorted: Sorted, done: (first: OrderedSet, isWhole: boolean) => void) {
    this.#sorted = sorted;
    this.#done = done;
    this.#first = new OrderedSet(orderingOf(sorted.parts));
  }

  step(count: number): boolean {
    if (this.#isOver) return true;
    this.#sorter ??= this.#begin();
    if (!this.#sorter.step(count) || !this.#append(count) || !this.#putLate(count)) return false;
    this.#isOver = true;
    this.#done(this.#first, this.#isWhole);
    return true;
  }

  /** Its view is dropped. */
  restart(): void {
    this.#isOver = true;
  }

  /** Says that a member is about to change, or to go. */
  leave(slot: Slot): void {
    if (this.#sorter === undefined) return;
    this.#touched.add(slot);
    this.#late.delete(slot);
    this.#first.remove(slot);
  }

  /** Says that a member has changed, or is new. */
  enter(slot: Slot): void {
    if (this.#sorter === undefined) return;
    this.#touched.add(slot);
    this.#late.add(slot);
  }

  /** Sorts places among all members instead of these: in the order of ids as it was then, as in any later one. */
  #begin(): Sorter {
    const { members, parts, wanted } = this.#sorted;
    const slots = members.toArray();
    const last = parts.length - 1;
    const partsOfPlaces = parts.map((part, nth): Part => {
      return nth === last ? (place) => place : (place) => part(slots[place] as Slot);
    });
    const places = new Int32Array(slots.length);
    for (let place = 0; place < places.length; place += 1) places[place] = place;
    this.#slots = slots;
    this.#isWhole = wanted >= slots.length;
    return new Sorter(places, partsOfPlaces, wanted);
  }

  #append(count: number): boolean {
    const [slots, { slots: places }] = [this.#slots as Int32Array, this.#sorter as Sorter];
    const wanted = Math.min(this.#sorted.wanted, places.length);
    const end = Math.min(wanted, this.#at + count);
    for (; this.#at < end; this.#at += 1) {
      const slot = slots[places[this.#at] as number] as Slot;
      if (!this.#touched.has(slot)) this.#first.append(slot);
    }
    return end === wanted;
  }

  #putLate(count: number): boolean {
    let left = Math.ceil(count / PUT);
    for (const slot of this.#late) {
      if (left === 0) return false;
      left -= 1;
      this.#late.delete(slot);
      if (this.#isWhole) this.#first.insert(slot);
      else this.#first.insertBetween(slot);
    }
    return true;
  }
}
