import type { Chance } from "../../support/chance.ts";

/** Draws ranks from 0 on, of which rank r comes up with a likelihood in proportion to 1 / (r + 1). */
export type Zipf = (chance: Chance) => number;

/** As fine as what is drawn is. */
const FINENESS = 2 ** 32;

/** A Zipf distribution (exponent 1) over so many ranks. */
export function zipfOver(ranks: number): Zipf {
  const cumulative = new Float64Array(ranks);
  let sum = 0;
  for (let rank = 0; rank < ranks; rank += 1) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  return (chance) => {
    const drawn = (chance.below(FINENESS) / FINENESS) * sum;
    let low = 0;
    let high = ranks - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulative[middle] ?? sum) > drawn) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
