/** Repeatable chance: the same seed gives the same numbers in [0, 1). Mulberry32. */
export interface Chance {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
  /** One of these, of which there is at least one. */
  oneOf<T>(choices: readonly T[]): T;
}

/** Starts from a seed. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (end: number) => Math.floor(next() * end);
  return { below, oneOf: (choices) => choices[below(choices.length)] as never };
}
