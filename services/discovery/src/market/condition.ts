import type { Fault, Filter } from "../filter.ts";
import { STATE_RANK } from "../listing.ts";
import { Ability } from "./ability.ts";
import { type Agents, ASPECT, labelText, schemeText } from "./agents.ts";
import type { Lists } from "./lists.ts";
import type { Slot } from "./ordered-set.ts";
import type { ViewOrder } from "./view.ts";

const ANY_STATE = -1;

/** A filter, held ready to look at many agents. */
export class Condition {
  readonly ability: Ability;
  /** Which aspects of an agent it looks at. */
  readonly aspects: number;
  /** The only currency that passes; 0 when any does. */
  readonly currency: number;
  readonly #agents: Agents;
  readonly #maxPrice: number;
  readonly #minPpm: number;
  readonly #maxLatencyMs: number;
  readonly #labels: readonly number[];
  readonly #words: readonly number[];
  /** A number of `labelNames`; 0 when any endpoint does. */
  readonly #scheme: number;
  /** Bit r: a state of rank r passes. */
  readonly #states: number;

  /** Holds the names in the filter until it is released. */
  constructor(agents: Agents, filter: Filter) {
    const { maxCost, states, minReliabilityPpm, maxLatencyMs, endpointScheme: scheme } = filter;
    this.#agents = agents;
    this.ability = new Ability(agents, filter);
    this.currency = maxCost === undefined ? 0 : agents.currencies.hold(maxCost.currency);
    this.#maxPrice = Number(maxCost?.micros ?? 0n);
    this.#minPpm = minReliabilityPpm ?? -1;
    this.#maxLatencyMs = maxLatencyMs ?? Infinity;
    this.#labels = Object.entries(filter.labels).map(([name, value]) =>
      agents.labelNames.hold(labelText(name, value)),
    );
    this.#states = states?.reduce((bits, state) => bits | (1 << STATE_RANK[state]), 0) ?? ANY_STATE;
    this.#words = filter.words;
    this.#scheme = scheme === undefined ? 0 : agents.labelNames.hold(schemeText(scheme));
    const isLatent = maxLatencyMs !== undefined;
    this.aspects =
      ASPECT.ABILITY |
      (maxCost === undefined ? 0 : ASPECT.PRICE) |
      (isLatent ? ASPECT.LATENCY : 0) |
      (this.#labels.length === 0 && scheme === undefined ? 0 : ASPECT.LABELS) |
      (this.#words.length === 0 ? 0 : ASPECT.TEXT) |
      (states === undefined ? 0 : ASPECT.STATE | ASPECT.BREAKERS);
  }

  /** The highest price that passes, where nothing but the price is asked. */
  get onlyPrice(): number | undefined {
    const isElse =
      this.#maxLatencyMs !== Infinity ||
      this.#minPpm > 0 ||
      this.#labels.length > 0 ||
      this.#words.length > 0 ||
      this.#scheme !== 0 ||
      this.#states !== ANY_STATE;
    return isElse || this.currency === 0 ? undefined : this.#maxPrice;
  }

  release(): void {
    this.ability.release();
    if (this.currency !== 0) this.#agents.currencies.release(this.currency);
    for (const label of this.#labels) this.#agents.labelNames.release(label);
    if (this.#scheme !== 0) this.#agents.labelNames.release(this.#scheme);
  }

  passes(slot: Slot): boolean {
    return this.ability.has(slot) && this.faultOf(slot) === undefined;
  }

  /** The first condition, besides capabilities, that an agent does not meet; undefined when it passes. */
  faultOf(slot: Slot): Fault | undefined {
    const agents = this.#agents;
    if (this.currency !== 0) {
      const currency = agents.currency[slot];
      if (currency === 0) return "unpriced";
      if (currency !== this.currency) return "other_currency";
      if ((agents.price[slot] as number) > this.#maxPrice) return "over_max_cost";
    }
    // Infinity stands for both: no limit, and no promise.
    const latencyMs = agents.p95Ms[slot] as number;
    if (this.#maxLatencyMs !== Infinity && latencyMs > this.#maxLatencyMs)
      return "over_max_latency";
    if (this.#minPpm > 0 && this.ability.ppm(slot) < this.#minPpm) return "below_min_reliability";
    const { labels, words } = agents;
    if (this.#labels.length > 0 && !hasAll(labels, slot, this.#labels)) return "other_labels";
    if (this.#words.length > 0 && !hasAll(words, slot, this.#words)) return "other_text";
    if (this.#scheme !== 0 && !labels.of(slot).includes(this.#scheme)) return "other_endpoint";
    if (((this.#states >> (agents.state[slot] as number)) & 1) === 0) return "not_available";
    // Asked for by nobody but those who want to call an agent.
    const isCalled = this.#states !== ANY_STATE && agents.breakers.size > 0;
    return isCalled && this.ability.isBroken(slot) ? "breaker_open" : undefined;
  }

  /** Whether an agent in an order fails a bound so that all behind it do; undefined: never in this order. */
  endOf(order: ViewOrder): ((slot: Slot) => boolean) | undefined {
    const agents = this.#agents;
    switch (order) {
      case "COST":
      case "CHEAPEST":
        if (this.currency === 0) return undefined;
        return (slot) => (agents.price[slot] as number) > this.#maxPrice;
      case "RELIABILITY":
      case "BEST":
        if (this.#minPpm <= 0) return undefined;
        return (slot) => this.ability.ppm(slot) < this.#minPpm;
      case "FASTEST":
        if (this.#maxLatencyMs === Infinity) return undefined;
        return (slot) => (agents.p95Ms[slot] as number) > this.#maxLatencyMs;
      default:
        return undefined;
    }
  }
}

function hasAll(lists: Lists, slot: Slot, wanted: readonly number[]): boolean {
  const held = lists.of(slot);
  return wanted.every((number) => held.includes(number));
}
