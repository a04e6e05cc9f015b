/** Numbers from 0 to below 1 that look random and are the same each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Whether counts are as chances say, by Pearson's chi-squared: its value is below `mean + 8 standard deviations`, which
 * no seed of a true draw will exceed.
 */
export function areAsLikely(counts: readonly number[], chances: readonly number[]): boolean {
  const times = counts.reduce((sum, count) => sum + count, 0);
  const chiSquared = counts.reduce((sum, count, index) => {
    const expected = times * (chances[index] as number);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  const freedom = counts.length - 1;
  return chiSquared < freedom + 8 * Math.sqrt(2 * freedom);
}
