import type { Order, Place } from "../order.ts";
import type { Ability } from "./ability.ts";
import { type Agents, ASPECT } from "./agents.ts";
import type { CompareSlots, Slot } from "./ordered-set.ts";
import type { ViewOrder } from "./view.ts";

const { ABILITY, PRICE, STATE, LOAD, CAPACITY, LATENCY, SCORE, PICKS } = ASPECT;

/** Which aspects of an agent an order looks at. */
export const ASPECTS_OF: Readonly<Record<ViewOrder, number>> = {
  COST: PRICE | ABILITY | STATE,
  RELIABILITY: ABILITY | PRICE,
  SCORE: SCORE | PRICE,
  AVAILABILITY: STATE | CAPACITY | SCORE,
  STANDING: STATE | ABILITY,
  LOAD: LOAD | PICKS | PRICE | ABILITY,
  CHEAPEST: PRICE | ABILITY | PICKS,
  BEST: ABILITY | PRICE | PICKS,
  FASTEST: LATENCY | ABILITY | PRICE | PICKS,
};

/** Whether an order compares prices within one currency only. */
export function isOfOneCurrency(order: ViewOrder): boolean {
  return order === "LOAD" || order === "CHEAPEST" || order === "BEST" || order === "FASTEST";
}

/** Compares slots in an order; `currency` is the number of the one that prices are compared in, if it is only one. */
export function comparison(
  order: ViewOrder,
  agents: Agents,
  ability: Ability,
  currency: number,
): CompareSlots {
  const { cost, sureness, state, id, price, picks, load, score, capacity, latency } = parts(
    agents,
    ability,
    currency,
  );
  switch (order) {
    case "COST":
      return (a, b) => cost(a, b) || sureness(a, b) || state(a, b) || id(a, b);
    case "RELIABILITY":
      return (a, b) => sureness(a, b) || cost(a, b) || id(a, b);
    case "SCORE":
      return (a, b) => score(a, b) || cost(a, b) || id(a, b);
    case "AVAILABILITY":
      return (a, b) => state(a, b) || capacity(a, b) || score(a, b) || id(a, b);
    case "STANDING":
      return (a, b) => state(a, b) || sureness(a, b) || id(a, b);
    case "LOAD":
      return (a, b) => load(a, b) || picks(a, b) || price(a, b) || sureness(a, b) || id(a, b);
    case "CHEAPEST":
      return (a, b) => price(a, b) || sureness(a, b) || picks(a, b) || id(a, b);
    case "BEST":
      return (a, b) => sureness(a, b) || price(a, b) || picks(a, b) || id(a, b);
    case "FASTEST":
      return (a, b) => latency(a, b) || sureness(a, b) || price(a, b) || picks(a, b) || id(a, b);
  }
}

/** The comparisons that orders are made of. */
function parts(agents: Agents, ability: Ability, currency: number) {
  // One for each kind of column: a function that sees several kinds is several times slower.
  const at = (numbers: Float64Array, slot: Slot): number => numbers[slot] as number;
  const whole = (numbers: Int32Array, slot: Slot): number => numbers[slot] as number;
  const small = (numbers: Uint8Array, slot: Slot): number => numbers[slot] as number;
  /** Prices in other currencies cannot be compared: they come after all that are in this one, and are equal. */
  const price: CompareSlots = (a, b) => {
    const isIn = whole(agents.currency, a) === currency;
    if (isIn !== (whole(agents.currency, b) === currency)) return isIn ? -1 : 1;
    return isIn ? at(agents.price, a) - at(agents.price, b) : 0;
  };
  /** Prices are compared within a currency only: currencies come by name, the unpriced last. */
  const cost: CompareSlots = (a, b) => {
    const [left, right] = [whole(agents.currency, a), whole(agents.currency, b)];
    if (left === right) return at(agents.price, a) - at(agents.price, b);
    if (left === 0 || right === 0) return left === 0 ? 1 : -1;
    return agents.currencies.textOf(left) < agents.currencies.textOf(right) ? -1 : 1;
  };
  return {
    price,
    cost,
    sureness: (a: Slot, b: Slot) => ability.ppm(b) - ability.ppm(a),
    state: (a: Slot, b: Slot) => small(agents.state, a) - small(agents.state, b),
    id: (a: Slot, b: Slot) => at(agents.order.labels, a) - at(agents.order.labels, b),
    picks: (a: Slot, b: Slot) => whole(agents.picks, a) - whole(agents.picks, b),
    // Those that promise none are equal, at Infinity.
    latency: (a: Slot, b: Slot) =>
      at(agents.p95Ms, a) === at(agents.p95Ms, b) ? 0 : at(agents.p95Ms, a) - at(agents.p95Ms, b),
    load: (a: Slot, b: Slot) =>
      whole(agents.inFlight, a) +
      whole(agents.picksSince, a) -
      (whole(agents.inFlight, b) + whole(agents.picksSince, b)),
    score: (a: Slot, b: Slot) => whole(agents.scorePpm, b) - whole(agents.scorePpm, a),
    capacity: (a: Slot, b: Slot) => whole(agents.capacity, b) - whole(agents.capacity, a),
  };
}

/** The place of an agent in the order of a search, in which it stands just as `comparison` orders it. */
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
  }
}
