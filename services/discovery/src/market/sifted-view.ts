import type { Filter } from "../filter.ts";
import { PPM, UNPROVEN_PPM } from "../reliability.ts";
import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import { Currencies } from "./currencies.ts";
import type { Slot } from "./ordered-set.ts";
import { type Part, partsOf, standing } from "./orders.ts";
import { Whole } from "./ranked.ts";
import { sortFirst } from "./sort-first.ts";
import type { Lots, Ranking, ViewOrder } from "./view.ts";

/** How many are put in order before it is known that more are asked for. */
const FIRST = 32;

/** A view that is looked at once and not kept current: an array, in the order of ids. */
export class SiftedView extends Whole {
  readonly key: string;
  readonly filter: Filter;
  readonly ability: Ability;
  /** After which change of the market it was made: after the next it is out of date. */
  readonly madeIn: number;
  readonly #agents: Agents;
  readonly #slots: Int32Array;
  #currency: number | undefined;

  /** `eligible` are all that pass, by id. */
  constructor(
    named: { readonly key: string; readonly filter: Filter; readonly madeIn: number },
    agents: Agents,
    ability: Ability,
    eligible: Int32Array,
  ) {
    super();
    this.key = named.key;
    this.filter = named.filter;
    this.madeIn = named.madeIn;
    this.ability = ability;
    this.#agents = agents;
    this.#slots = eligible;
  }

  /** What nobody exceeds: to look at all agents for one pick would cost more than it saves. */
  get mostPpm(): number {
    return PPM;
  }

  get size(): number {
    return this.#slots.length;
  }

  get currency(): string | undefined {
    if (this.filter.maxCost !== undefined) return this.filter.maxCost.currency;
    const number = this.#currencyNumber();
    return number === 0 ? undefined : this.#agents.currencies.textOf(number);
  }

  at(rank: number): Slot {
    return slotAt(this.#slots, rank);
  }

  rankAfter(agentId: string): number {
    return lowerBound(this.#slots, (slot) => this.#agents.idOf(slot) <= agentId);
  }

  rankOf(slot: Slot): number | undefined {
    const { labels } = this.#agents.order;
    const label = labels[slot] as number;
    const rank = lowerBound(this.#slots, (other) => (labels[other] as number) < label);
    return this.#slots[rank] === slot ? rank : undefined;
  }

  has(slot: Slot): boolean {
    return this.rankOf(slot) !== undefined;
  }

  in(order: ViewOrder): Ranking {
    if (order === "ID") return new Sorting(this.#slots, [], this.size);
    return new Sorting(this.#slots.slice(), this.#partsOf(order), 0);
  }

  standing(order: ViewOrder): (a: Slot, b: Slot) => number {
    return standing(this.#partsOf(order));
  }

  unproven(): Lots {
    const slots = this.#slots.filter((slot) => this.ability.ppm(slot) === UNPROVEN_PPM);
    return { size: slots.length, at: (rank) => slotAt(slots, rank) };
  }

  #partsOf(order: ViewOrder): readonly Part[] {
    return partsOf(order, this.#agents, this.ability, this.#currencyNumber());
  }

  #currencyNumber(): number {
    const { maxCost } = this.filter;
    this.#currency ??=
      maxCost === undefined
        ? new Currencies(this.#agents, this.#slots).prevailing()
        : (this.#agents.currencies.find(maxCost.currency) ?? 0);
    return this.#currency;
  }
}

/** Slots that are put in order as far as somebody looks. */
class Sorting implements Ranking {
  readonly #slots: Int32Array;
  readonly #parts: readonly Part[];
  #sorted: number;

  /** The first `sorted` are in order already. */
  constructor(slots: Int32Array, parts: readonly Part[], sorted: number) {
    this.#slots = slots;
    this.#parts = parts;
    this.#sorted = sorted;
  }

  get size(): number {
    return this.#slots.length;
  }

  at(rank: number): Slot {
    this.#reach(rank + 1);
    return slotAt(this.#slots, rank);
  }

  lowerBound(isBefore: (slot: Slot) => boolean): number {
    this.#reach(this.size);
    return lowerBound(this.#slots, isBefore);
  }

  *walk(fromRank = 0): Generator<Slot, void, undefined> {
    for (let rank = fromRank; rank < this.size; rank += 1) yield this.at(rank);
  }

  #reach(count: number): void {
    if (count <= this.#sorted || this.#sorted === this.size) return;
    this.#sorted = count <= FIRST ? Math.min(FIRST, this.size) : this.size;
    sortFirst(this.#slots, this.#parts, this.#sorted);
  }
}

function slotAt(slots: Int32Array, rank: number): Slot {
  const slot = slots[rank];
  if (slot === undefined) throw new RangeError(`no rank ${rank} of ${slots.length}`);
  return slot;
}

function lowerBound(slots: Int32Array, isBefore: (slot: Slot) => boolean): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(slots[middle] as Slot)) low = middle + 1;
    else high = middle;
  }
  return low;
}
