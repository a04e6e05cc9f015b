import type { Making } from "./maker.ts";
import { OrderedSet, type Ordering, type Slot } from "./ordered-set.ts";
import { orderingOf, type Part } from "./orders.ts";
import { SlicedSort } from "./sliced-sort.ts";
import { OrderWanted, type Ranking } from "./view.ts";

/** This share of all agents is put in order at least. */
const FIRST_SHARE = 1 / 32;
/** When only this share of these is left, the next ones are put in order, before anybody has to wait for them. */
const LEFT_SHARE = 1 / 2;

/** To tell an order of a change costs four times what it costs, for each agent, to make it anew. */
const IDLE_SHARE = 1 / 4;
/** An order that nobody asks for is kept a while however small it is: to make it anew costs more than its size. */
const IDLE_MIN = 1_000;

/** How orders are made. */
export interface Ordered {
  /** At least so many agents are put in order. */
  readonly firstMin: number;
  /** Among so many at once, among more in slices. */
  readonly atOnceMax: number;
  /** Makes something in slices. */
  readonly make: (making: Making) => void;
}

/**
 * An order of the agents of a view, kept as far as somebody looks: the first ones stand in a set, the others anywhere
 * behind the last of these. So a change of an agent costs one comparison, but for the few who stand in front. When the
 * set has run out, or more is asked for, the agents are looked at anew: in slices where they are many.
 *
 * The order must be told of each change: `leave` before it, `enter` after it. To look at it may throw `OrderWanted`.
 */
export class KeptOrder implements Ranking {
  readonly #members: OrderedSet;
  readonly #parts: readonly Part[];
  readonly #ordering: Ordering;
  readonly #limits: Ordered;
  #first: OrderedSet;
  /** Whether all agents of the view stand in the set. */
  #isWhole = false;
  /** Beyond this the set is forgotten: it was not asked for that much. */
  #firstMax = 0;
  /** Below this the next ones are put in order. */
  #firstLeft = 0;
  #sort: SlicedSort | undefined;
  /** Changes since it was used last. */
  #idle = 0;

  constructor(members: OrderedSet, parts: readonly Part[], limits: Ordered) {
    this.#members = members;
    this.#parts = parts;
    this.#ordering = orderingOf(parts);
    this.#limits = limits;
    this.#first = new OrderedSet(this.#ordering);
  }

  get size(): number {
    return this.#members.size;
  }

  /** How many agents stand in the set. */
  get entries(): number {
    return this.#first.size;
  }

  /** Whether to keep it has cost what it costs to make it anew: who knows whether somebody asks again. */
  get isIdle(): boolean {
    return this.#sort === undefined && this.#idle > this.size * IDLE_SHARE + IDLE_MIN;
  }

  /** Says that it is used. */
  use(): void {
    this.#idle = 0;
  }

  at(rank: number): Slot {
    this.#reach(rank + 1);
    return this.#first.at(rank);
  }

  lowerBound(isBefore: (slot: Slot) => boolean): number {
    for (;;) {
      const rank = this.#first.lowerBound(isBefore);
      if (rank < this.#first.size || this.#isWhole) return rank;
      this.#reach(this.#first.size + 1);
    }
  }

  /** How many come before the first that is not, if that is among those that are in order anyway. */
  countFirst(isBefore: (slot: Slot) => boolean): number | undefined {
    this.#reach(1);
    const rank = this.#first.lowerBound(isBefore);
    return rank < this.#first.size || this.#isWhole ? rank : undefined;
  }

  *walk(fromRank = 0): Generator<Slot, void, undefined> {
    let rank = fromRank;
    while (rank < this.size) {
      this.#reach(rank + 1);
      for (const slot of this.#first.walk(rank)) {
        rank += 1;
        yield slot;
      }
    }
  }

  /** Says that an agent of the view is about to change, or to go. */
  leave(slot: Slot): void {
    this.#idle += 1;
    this.#first.remove(slot);
    this.#sort?.leave(slot);
  }

  /** Says that an agent of the view has changed, or is new. */
  enter(slot: Slot): void {
    if (this.#isWhole) this.#first.insert(slot);
    else this.#first.insertBetween(slot);
    if (this.#first.size > this.#firstMax) this.#forget();
    this.#sort?.enter(slot);
  }

  #forget(): void {
    this.#first = new OrderedSet(this.#ordering);
    this.#isWhole = false;
    this.#firstLeft = 0;
  }

  /** Sees to it that so many agents are in order, or all. @throws OrderWanted */
  #reach(count: number): void {
    const isThere = this.#isWhole || this.#first.size >= count;
    const isAtOnce = this.size <= this.#limits.atOnceMax;
    if (isThere && (isAtOnce || this.#first.size >= this.#firstLeft)) return;
    this.#sort ??= this.#sortFor(count);
    if (isAtOnce) this.#sort.step(Infinity);
    else if (isThere) this.#limits.make(this.#sort);
    else throw new OrderWanted(this.#sort);
  }

  #sortFor(count: number): SlicedSort {
    const { firstMin } = this.#limits;
    // More than was asked for: who goes on looking shall not make it sort again and again.
    const wanted = Math.max(4 * count, firstMin, Math.ceil(this.size * FIRST_SHARE));
    const sorted = { members: this.#members, parts: this.#parts, wanted };
    return new SlicedSort(sorted, (first, isWhole) => {
      this.#first = first;
      this.#isWhole = isWhole;
      this.#firstMax = 2 * wanted;
      this.#firstLeft = isWhole ? 0 : Math.floor(wanted * LEFT_SHARE);
      this.#sort = undefined;
      this.#idle = 0;
    });
  }
}
