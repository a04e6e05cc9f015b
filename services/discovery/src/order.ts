/** An order of search results. */
export type Order = "COST" | "RELIABILITY" | "SCORE" | "AVAILABILITY" | "ID";

/**
 * Where an agent stands in an order: compared part by part, the last is its id, so that no two stand alike. It depends
 * on nothing but the agent and the search, so that pages can be continued.
 */
export type Place = readonly (number | string)[];

/** The parts of a place, in order: `n` a number, `s` a text. */
const SHAPES: Readonly<Record<Order, string>> = {
  COST: "nsnnns",
  RELIABILITY: "nnsns",
  SCORE: "nnsns",
  AVAILABILITY: "nnns",
  ID: "s",
};

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
    return /^-?\d{1,16}$/.test(part) ? Number(part) : undefined;
  });
  return place.every((part) => part !== undefined) ? place : undefined;
}

/** Orders two places of the same order. */
export function comparePlaces(a: Place, b: Place): number {
  for (let index = 0; index < a.length; index += 1) {
    const left = a[index] as number | string;
    const right = b[index] as number | string;
    if (left < right) return -1;
    if (left > right) return 1;
  }
  return 0;
}
