import type { Filter } from "../filter.ts";
import { UNPROVEN_PPM } from "../reliability.ts";
import type { Ability } from "./ability.ts";
import { type Agents, ASPECT } from "./agents.ts";
import type { Condition } from "./condition.ts";
import type { Counts } from "./counts.ts";
import { KeptOrder } from "./kept-order.ts";
import type { Making } from "./maker.ts";
import type { Members } from "./members.ts";
import type { Slot } from "./ordered-set.ts";
import { ASPECTS_OF, isOfOneCurrency, partsOf, standing } from "./orders.ts";
import { Whole } from "./ranked.ts";
import { Sample, spread } from "./samples.ts";
import type { Faults } from "./sift.ts";
import type { Lots, Ranking, ViewOrder } from "./view.ts";
import type { ViewLimits } from "./view-limits.ts";

/** An order that a view keeps. */
interface Kept {
  readonly order: ViewOrder;
  readonly currency: number;
  readonly aspects: number;
  readonly ranking: KeptOrder;
}

/** Is told what changed in a view, as bits of `ASPECT`; it must not change the market. */
export type OnChange = (aspects: number) => void;

/** Beyond this many, orders in currencies that no longer prevail are forgotten. */
const ORDERS_MAX = 12;
/** After so many changes other agents stand for all of a view. */
const SAMPLE_CHANGES = 1_000;

/** What a view is called, and how much is kept of it. */
export interface KeptNames {
  readonly key: string;
  readonly filter: Filter;
  readonly limits: Pick<ViewLimits, "firstMin" | "sampleMax" | "atOnceMax" | "sliceMax">;
  /** Makes something in slices. */
  readonly make: (making: Making) => void;
}

/**
 * A view that is kept current: it is told before and after each change of an agent that may concern it. Orders are made
 * when they are first asked for.
 */
export class KeptView extends Whole {
  readonly key: string;
  readonly filter: Filter;
  readonly condition: Condition;
  /** Which aspects of an agent its filter and its orders look at. */
  aspects: number;
  /** For those who keep it: when it was used last, and in which change it was told. */
  usedAt = 0;
  toldIn = 0;
  /** How often it was asked for, and how many look at it now that must find it again. */
  uses = 0;
  pins = 0;
  /** How many were kept out by what, once counted, until an agent changes that its filter looks at. */
  faults: Faults | undefined;
  /** The same estimated. */
  estimate: Counts | undefined;
  /**
   * Is told of each change of an agent that passes, by its aspects; by all of them when an agent came or went, or when
   * the view may have missed something.
   */
  onChange: OnChange | undefined;
  readonly #agents: Agents;
  readonly #members: Members;
  readonly #orders = new Map<string, Kept>();
  readonly #names: KeptNames;
  #was = false;
  /** Orders in which somebody looked at many in vain, since the sample was taken. */
  readonly vain = new Set<ViewOrder>();
  #sample: Sample | undefined;
  #sampleChanges = 0;

  constructor(names: KeptNames, agents: Agents, condition: Condition, members: Members) {
    super();
    this.key = names.key;
    this.filter = names.filter;
    this.#names = names;
    this.condition = condition;
    this.#agents = agents;
    this.#members = members;
    this.aspects = this.#ownAspects;
  }

  /** What is looked at without any order. */
  get #ownAspects(): number {
    return this.condition.aspects | (this.#members.currencies === undefined ? 0 : ASPECT.PRICE);
  }

  get ability(): Ability {
    return this.condition.ability;
  }

  get size(): number {
    return this.#members.byId.size;
  }

  /** How many entries it keeps, over all its orders. */
  get entries(): number {
    let entries = this.size;
    for (const { ranking } of this.#orders.values()) entries += ranking.entries;
    return entries;
  }

  get mostPpm(): number {
    return this.#members.mostPpm;
  }

  get currency(): string | undefined {
    if (this.filter.maxCost !== undefined) return this.filter.maxCost.currency;
    const number = this.currencyNumber();
    return number === 0 ? undefined : this.#agents.currencies.textOf(number);
  }

  /** Keeps it where it is found until what is answered is disposed of. */
  pin(): Disposable {
    this.pins += 1;
    return {
      [Symbol.dispose]: () => {
        this.pins -= 1;
      },
    };
  }

  at(rank: number): Slot {
    return this.#members.byId.at(rank);
  }

  rankAfter(agentId: string): number {
    const { ids } = this.#agents.order;
    return this.#members.byId.lowerBound((slot) => (ids[slot] as string) <= agentId);
  }

  rankOf(slot: Slot): number | undefined {
    return this.has(slot) ? this.#members.byId.rankOf(slot) : undefined;
  }

  has(slot: Slot): boolean {
    return this.#agents.has(slot) && this.condition.passes(slot);
  }

  /** The agents by id, from a rank on. */
  from(rank: number): Iterable<Slot> {
    return this.#members.byId.walk(rank);
  }

  /** All agents by id. */
  toArray(): Int32Array {
    return this.#members.byId.toArray();
  }

  /** Some agents that stood for all a while ago: evenly spread by id. */
  sample(): Sample {
    if (this.#sample === undefined || this.#sampleChanges > SAMPLE_CHANGES) {
      this.#sample = new Sample(this.#agents, spread(this, this.#names.limits.sampleMax));
      this.#sampleChanges = 0;
      this.vain.clear();
    }
    return this.#sample;
  }

  /** The agents in an order; `of` is the number of another currency to compare prices in. */
  in(order: ViewOrder, of?: number): Ranking {
    return order === "ID" ? this.#members.byId : this.#in(order, of);
  }

  /** How many come first in an order, if these are so few that they are in order anyway. */
  countFirst(
    order: Exclude<ViewOrder, "ID">,
    isBefore: (slot: Slot) => boolean,
  ): number | undefined {
    return this.#in(order).countFirst(isBefore);
  }

  #in(order: Exclude<ViewOrder, "ID">, of?: number): KeptOrder {
    const currency = isOfOneCurrency(order) ? (of ?? this.currencyNumber()) : 0;
    const name = currency === 0 ? order : `${order} ${currency}`;
    const kept = this.#orders.get(name);
    if (kept !== undefined) {
      kept.ranking.use();
      return kept.ranking;
    }
    if (this.#orders.size >= ORDERS_MAX) this.#forgetOrders(currency);
    const parts = partsOf(order, this.#agents, this.ability, currency);
    const { limits, make } = this.#names;
    const ranking = new KeptOrder(this.#members.byId, parts, {
      firstMin: limits.firstMin,
      atOnceMax: Math.max(limits.atOnceMax, limits.sliceMax),
      make,
    });
    this.#orders.set(name, { order, currency, aspects: ASPECTS_OF[order], ranking });
    this.aspects |= ASPECTS_OF[order];
    return ranking;
  }

  standing(order: ViewOrder): (a: Slot, b: Slot) => number {
    const currency = isOfOneCurrency(order) ? this.currencyNumber() : 0;
    return standing(partsOf(order, this.#agents, this.ability, currency));
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
      if (kept.ranking.isIdle) this.#forget(name);
      else kept.ranking.leave(slot);
    }
    if ((aspects & ASPECT.PRICE) !== 0) this.#members.currencies?.add(slot, -1);
  }

  /** Says that it has changed. */
  after(slot: Slot, aspects: number): void {
    const was = this.#was;
    const is = (aspects & this.condition.aspects) === 0 ? was : this.condition.passes(slot);
    if ((aspects & this.condition.aspects) !== 0) this.#forgetFaults();
    if (!is && !was) return;
    if (aspects !== ASPECT.PICKS) this.#sampleChanges += 1;
    if (is !== was) this.#members.byId[is ? "insert" : "remove"](slot);
    for (const { aspects: own, ranking } of this.#orders.values()) {
      const isOut = !was || (own & aspects) !== 0;
      if (isOut && is) ranking.enter(slot);
      else if (!isOut && !is) ranking.leave(slot);
    }
    const isOut = !was || (aspects & ASPECT.PRICE) !== 0;
    if (isOut !== !is) this.#members.currencies?.add(slot, is ? 1 : -1);
    const isOther = !was || (aspects & ASPECT.ABILITY) !== 0;
    if (is && isOther) this.#members.raise(slot);
    this.onChange?.(is === was ? aspects : ASPECT.ALL);
  }

  /** Says that a newcomer is written. */
  enter(slot: Slot): void {
    this.#was = false;
    this.after(slot, ASPECT.ALL);
  }

  /** Says that an agent goes; it is still there. */
  leave(slot: Slot): void {
    this.#forgetFaults();
    if (!this.condition.passes(slot)) return;
    this.#sampleChanges += 1;
    this.#members.byId.remove(slot);
    for (const { ranking } of this.#orders.values()) ranking.leave(slot);
    this.#members.currencies?.add(slot, -1);
    this.onChange?.(ASPECT.ALL);
  }

  #forgetFaults(): void {
    this.faults = undefined;
    this.estimate = undefined;
  }

  /** The number of the currency in which prices are compared; 0 when there is none. */
  currencyNumber(): number {
    return this.#members.currencies?.prevailing() ?? this.condition.currency;
  }

  #forgetOrders(currency: number): void {
    for (const [name, kept] of this.#orders) {
      if (isOfOneCurrency(kept.order) && kept.currency !== currency) this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.#orders.delete(name);
    this.aspects = this.#ownAspects;
    for (const { aspects } of this.#orders.values()) this.aspects |= aspects;
    this.onChange?.(ASPECT.ALL);
  }
}
