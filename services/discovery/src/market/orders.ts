import type { Order, Place } from "../order.ts";
import type { Ability } from "./ability.ts";
import { type Agents, ASPECT } from "./agents.ts";
import type { Ordering, Slot } from "./ordered-set.ts";
import type { ViewOrder } from "./view.ts";

const { ABILITY, PRICE, STATE, LOAD, CAPACITY, LATENCY, SCORE, PICKS } = ASPECT;

/** Which aspects of an agent an order looks at. */
export const ASPECTS_OF: Readonly<Record<ViewOrder, number>> = {
  COST: PRICE | ABILITY | STATE,
  RELIABILITY: ABILITY | PRICE,
  SCORE: SCORE | PRICE,
  AVAILABILITY: STATE | CAPACITY | SCORE,
  ID: 0,
  STANDING: STATE | ABILITY,
  LOAD: LOAD | PICKS | PRICE | ABILITY,
  CHEAPEST: PRICE | ABILITY | PICKS,
  BEST: ABILITY | PRICE | PICKS,
  FASTEST: LATENCY | ABILITY | PRICE | PICKS,
  // What an agent has under way is told by picks, too.
  BY_LOAD: LOAD | PICKS | PRICE | ABILITY,
  BY_PRICE: PRICE | ABILITY,
  BY_SURENESS: ABILITY | PRICE,
  BY_LATENCY: LATENCY | ABILITY | PRICE,
};

/** Whether an order compares prices within one currency only. */
export function isOfOneCurrency(order: ViewOrder): boolean {
  return OF_ONE_CURRENCY.has(order);
}

const OF_ONE_CURRENCY: ReadonlySet<ViewOrder> = new Set<ViewOrder>([
  "LOAD",
  "CHEAPEST",
  "BEST",
  "FASTEST",
  "BY_LOAD",
  "BY_PRICE",
  "BY_SURENESS",
  "BY_LATENCY",
]);

/** A figure of an agent: the smaller comes first. */
export type Part = (slot: Slot) => number;

/**
 * What an order compares, one after the other; the last tells any two agents apart. `currency` is the number of the one
 * that prices are compared in, if it is only one.
 */
export function partsOf(
  order: ViewOrder,
  agents: Agents,
  ability: Ability,
  currency: number,
): readonly Part[] {
  /** Prices in other currencies cannot be compared: they come after all that are in this one, and are equal. */
  const price: Part = (slot) => (agents.currency[slot] === currency ? whole.price(slot) : Infinity);
  /** Prices are compared within a currency only: currencies (five letters at most) come by name, the unpriced last. */
  const currencyRank: Part = (slot) => {
    const number = agents.currency[slot] as number;
    return number === 0 ? Infinity : agents.currencies.rankOf(number);
  };
  const sureness: Part = (slot) => -ability.ppm(slot);
  const whole = figures(agents);
  const { id, picks } = whole;
  switch (order) {
    case "COST":
      return [currencyRank, whole.price, sureness, whole.state, id];
    case "RELIABILITY":
      return [sureness, currencyRank, whole.price, id];
    case "SCORE":
      return [whole.score, currencyRank, whole.price, id];
    case "AVAILABILITY":
      return [whole.state, whole.capacity, whole.score, id];
    case "ID":
      return [id];
    case "STANDING":
      return [whole.state, sureness, id];
    case "LOAD":
      return [whole.load, picks, price, sureness, id];
    case "CHEAPEST":
      return [price, sureness, picks, id];
    case "BEST":
      return [sureness, price, picks, id];
    case "FASTEST":
      return [whole.latency, sureness, price, picks, id];
    case "BY_LOAD":
      return [whole.load, price, sureness, id];
    case "BY_PRICE":
      return [price, sureness, id];
    case "BY_SURENESS":
      return [sureness, price, id];
    case "BY_LATENCY":
      return [whole.latency, sureness, price, id];
  }
}

/** Figures that stand in a column. */
function figures(agents: Agents) {
  return {
    price: (slot) => agents.price[slot] as number,
    state: (slot) => agents.state[slot] as number,
    id: (slot) => agents.order.labels[slot] as number,
    picks: (slot) => agents.picks[slot] as number,
    load: (slot) => agents.loadOf(slot),
    latency: (slot) => agents.p95Ms[slot] as number,
    score: (slot) => -(agents.scorePpm[slot] as number),
    capacity: (slot) => -(agents.capacity[slot] as number),
  } satisfies Record<string, Part>;
}

/** Compares slots part by part. */
export function comparison(parts: readonly Part[]): (a: Slot, b: Slot) => number {
  return (a, b) => {
    for (let index = 0; index < parts.length; index += 1) {
      const part = parts[index] as Part;
      const [left, right] = [part(a), part(b)];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  };
}

/** The same for a set. */
export function orderingOf(parts: readonly Part[]): Ordering {
  const aimed = new Float64Array(parts.length);
  return {
    aim(slot) {
      for (let index = 0; index < parts.length; index += 1) {
        aimed[index] = (parts[index] as Part)(slot);
      }
    },
    isBefore(other) {
      for (let index = 0; index < parts.length; index += 1) {
        const figure = (parts[index] as Part)(other);
        if (figure !== aimed[index]) return figure < (aimed[index] as number);
      }
      return false;
    },
  };
}

/** Compares slots in all parts but the last, which tells any two apart. */
export function standing(parts: readonly Part[]): (a: Slot, b: Slot) => number {
  return comparison(parts.slice(0, -1));
}

/** The place of an agent in the order of a search, in which it stands just as `partsOf` orders it. */
export function placeOf(order: Order, agents: Agents, ability: Ability, slot: Slot): Place {
  const id = agents.idOf(slot);
  const state = agents.state[slot] as number;
  const currency = agents.currency[slot] as number;
  const sureness = 0 - ability.ppm(slot);
  const score = 0 - (agents.scorePpm[slot] as number);
  const cost =
    currency === 0
      ? [1, "", 0]
      : [0, agents.currencies.textOf(currency), agents.price[slot] as number];
  switch (order) {
    case "COST":
      return [...cost, sureness, state, id];
    case "RELIABILITY":
      return [sureness, ...cost, id];
    case "SCORE":
      return [score, ...cost, id];
    case "AVAILABILITY":
      return [state, 0 - (agents.capacity[slot] as number), score, id];
    case "ID":
      return [id];
  }
}
