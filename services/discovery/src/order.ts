import type { Filter } from "./filter.ts";
import { type Listing, STATE_RANK } from "./listing.ts";
import { reliabilityPpm } from "./reliability.ts";

/** An order of search results. */
export type Order = "COST" | "RELIABILITY" | "SCORE" | "AVAILABILITY";

/** Where an agent stands in an order: compared part by part, the last is its id, so that no two stand alike. */
export type Place = readonly (bigint | string)[];

/** The parts of a place, in order: `n` a number, `s` a text. */
const SHAPES: Readonly<Record<Order, string>> = {
  COST: "nsnnns",
  RELIABILITY: "nnsns",
  SCORE: "nnsns",
  AVAILABILITY: "nnns",
};

/** The place of an agent; it depends on nothing but the agent and the search, so that pages can be continued. */
export function placeOf(listing: Listing, order: Order, filter: Filter): Place {
  const { agentId } = listing;
  const state = BigInt(STATE_RANK[listing.state]);
  const reliability = -BigInt(reliabilityPpm(listing, filter));
  const score = -BigInt(listing.scorePpm);
  switch (order) {
    case "COST":
      return [...cost(listing), reliability, state, agentId];
    case "RELIABILITY":
      return [reliability, ...cost(listing), agentId];
    case "SCORE":
      return [score, ...cost(listing), agentId];
    case "AVAILABILITY":
      return [state, -BigInt(listing.capacityPerHour), score, agentId];
  }
}

/** How many parts the places of an order have. */
export function partsOf(order: Order): number {
  return SHAPES[order].length;
}

/** Reads a place written part by part as text; undefined when a part is not of its kind. */
export function parsePlace(order: Order, parts: readonly string[]): Place | undefined {
  const shape = SHAPES[order];
  if (parts.length !== shape.length) return undefined;
  const place = parts.map((part, index) => {
    if (shape[index] === "s") return part;
    return /^-?\d{1,19}$/.test(part) ? BigInt(part) : undefined;
  });
  return place.every((part) => part !== undefined) ? place : undefined;
}

/** Orders two places of the same order. */
export function comparePlaces(a: Place, b: Place): number {
  for (let index = 0; index < a.length; index += 1) {
    const left = a[index] as bigint | string;
    const right = b[index] as bigint | string;
    if (left < right) return -1;
    if (left > right) return 1;
  }
  return 0;
}

/** Prices are compared within a currency only: currencies come by name, the unpriced last. */
function cost({ price }: Listing): readonly [bigint, string, bigint] {
  return price === undefined ? [1n, "", 0n] : [0n, price.currency, price.micros];
}
