import type { Fault, Filter } from "../filter.ts";
import { UNPROVEN_PPM } from "../reliability.ts";
import type { Ability } from "./ability.ts";
import { type Agents, ASPECT } from "./agents.ts";
import type { Condition } from "./condition.ts";
import { Currencies } from "./currencies.ts";
import { OrderedSet, type Slot } from "./ordered-set.ts";
import { ASPECTS_OF, comparison, isOfOneCurrency } from "./orders.ts";
import type { Faults } from "./sift.ts";
import type { Lots, Ranking, ViewOrder, WholeView } from "./view.ts";

/** An order that a view keeps. */
interface Kept {
  readonly order: ViewOrder;
  readonly currency: number;
  readonly aspects: number;
  readonly set: OrderedSet;
  /** Moves in it since it was used last. */
  idleMoves: number;
}

/** Beyond this many, orders in currencies that no longer prevail are forgotten. */
const ORDERS_MAX = 12;

/** Small orders are kept a while: to make them anew costs more than their size. */
const IDLE_MOVES_MIN = 1_000;

/**
 * A view that is kept current: it is told before and after each change of an agent that may concern it. Orders are made
 * when they are first asked for.
 */
export class KeptView implements WholeView {
  readonly key: string;
  readonly filter: Filter;
  readonly condition: Condition;
  /** Which aspects of an agent its filter and its orders look at. */
  aspects: number;
  /** For those who keep it: when it was used last, and in which change it was told. */
  usedAt = 0;
  toldIn = 0;
  /** How many were kept out by what, once counted, until an agent changes that its filter looks at. */
  faults: Faults | undefined;
  readonly #agents: Agents;
  readonly #byId: OrderedSet;
  readonly #orders = new Map<string, Kept>();
  #currencies: Currencies | undefined;
  #was = false;

  constructor(
    named: { readonly key: string; readonly filter: Filter },
    agents: Agents,
    condition: Condition,
    eligible: Int32Array,
  ) {
    this.key = named.key;
    this.filter = named.filter;
    this.condition = condition;
    this.aspects = condition.aspects;
    this.#agents = agents;
    const { order } = agents;
    this.#byId = OrderedSet.of(
      eligible,
      (a, b) => (order.labels[a] as number) - (order.labels[b] as number),
    );
  }

  get ability(): Ability {
    return this.condition.ability;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** How many entries it keeps, over all its orders. */
  get entries(): number {
    return this.size * (1 + this.#orders.size);
  }

  get currency(): string | undefined {
    if (this.filter.maxCost !== undefined) return this.filter.maxCost.currency;
    const number = this.#currencyNumber();
    return number === 0 ? undefined : this.#agents.currencies.textOf(number);
  }

  at(rank: number): Slot {
    return this.#byId.at(rank);
  }

  rankAfter(agentId: string): number {
    const { ids } = this.#agents.order;
    return this.#byId.lowerBound((slot) => (ids[slot] as string) <= agentId);
  }

  rankOf(slot: Slot): number | undefined {
    return this.has(slot) ? this.#byId.rankOf(slot) : undefined;
  }

  has(slot: Slot): boolean {
    return this.#agents.has(slot) && this.condition.passes(slot);
  }

  faultOf(slot: Slot): Fault | undefined {
    return this.condition.faultOf(slot);
  }

  walk(order: ViewOrder): Iterable<Slot> {
    return this.in(order).walk();
  }

  in(order: ViewOrder): Ranking {
    const currency = isOfOneCurrency(order) ? this.#currencyNumber() : 0;
    const name = currency === 0 ? order : `${order} ${currency}`;
    const kept = this.#orders.get(name);
    if (kept !== undefined) {
      kept.idleMoves = 0;
      return kept.set;
    }
    if (this.#orders.size >= ORDERS_MAX) this.#forgetOrders(currency);
    const compare = comparison(order, this.#agents, this.ability, currency);
    const slots = this.#byId.toArray();
    const sorted = this.ability.knowing(slots, () => slots.sort(compare));
    const set = OrderedSet.of(sorted, compare);
    this.#orders.set(name, { order, currency, aspects: ASPECTS_OF[order], set, idleMoves: 0 });
    this.aspects |= ASPECTS_OF[order];
    return set;
  }

  unproven(): Lots {
    const ranking = this.in("RELIABILITY");
    // In this order they stand side by side.
    const from = ranking.lowerBound((slot) => this.ability.ppm(slot) > UNPROVEN_PPM);
    const to = ranking.lowerBound((slot) => this.ability.ppm(slot) >= UNPROVEN_PPM);
    return { size: to - from, at: (rank) => ranking.at(from + rank) };
  }

  /** Says that an agent is about to change in some aspects. */
  before(slot: Slot, aspects: number): void {
    this.#was = this.condition.passes(slot);
    if (!this.#was) return;
    for (const [name, kept] of this.#orders) {
      if ((kept.aspects & aspects) === 0) continue;
      // To keep it has now cost what it costs to make it anew: who knows whether somebody asks again.
      if (kept.idleMoves > this.size + IDLE_MOVES_MIN) this.#forget(name);
      else kept.set.remove(slot);
      kept.idleMoves += 1;
    }
    if ((aspects & ASPECT.PRICE) !== 0) this.#currencies?.add(slot, -1);
  }

  /** Says that it has changed. */
  after(slot: Slot, aspects: number): void {
    const was = this.#was;
    const is = (aspects & this.condition.aspects) === 0 ? was : this.condition.passes(slot);
    if ((aspects & this.condition.aspects) !== 0) this.faults = undefined;
    if (!is && !was) return;
    if (is !== was) this.#byId[is ? "insert" : "remove"](slot);
    for (const { aspects: own, set } of this.#orders.values()) {
      const isOut = !was || (own & aspects) !== 0;
      if (isOut && is) set.insert(slot);
      else if (!isOut && !is) set.remove(slot);
    }
    const isOut = !was || (aspects & ASPECT.PRICE) !== 0;
    if (isOut !== !is) this.#currencies?.add(slot, is ? 1 : -1);
  }

  /** Says that a newcomer is written. */
  enter(slot: Slot): void {
    this.#was = false;
    this.after(slot, ASPECT.ALL);
  }

  /** Says that an agent goes; it is still there. */
  leave(slot: Slot): void {
    this.faults = undefined;
    if (!this.condition.passes(slot)) return;
    this.#byId.remove(slot);
    for (const { set } of this.#orders.values()) set.remove(slot);
    this.#currencies?.add(slot, -1);
  }

  #currencyNumber(): number {
    if (this.condition.currency !== 0) return this.condition.currency;
    this.#currencies ??= new Currencies(this.#agents, this.#byId.walk());
    this.aspects |= ASPECT.PRICE;
    return this.#currencies.prevailing();
  }

  #forgetOrders(currency: number): void {
    for (const [name, kept] of this.#orders) {
      if (isOfOneCurrency(kept.order) && kept.currency !== currency) this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.#orders.delete(name);
    this.aspects = this.condition.aspects;
    if (this.#currencies !== undefined) this.aspects |= ASPECT.PRICE;
    for (const { aspects } of this.#orders.values()) this.aspects |= aspects;
  }
}
