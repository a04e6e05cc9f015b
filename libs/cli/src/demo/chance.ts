/** Repeatable chance for simulated work: the same seed gives the same numbers in [0, 1). Mulberry32. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a piece of simulated work went. */
export interface Execution {
  readonly success: boolean;
  readonly actualMs: bigint;
}

const SUCCESS_SHARE = 0.95;

/** Work succeeds 95 times in 100 and takes 0.85 to 1.15 of what was promised, in whole minutes. */
export function simulate(estimatedMs: bigint, random: () => number): Execution {
  const success = random() < SUCCESS_SHARE;
  const minutes = Math.max(1, Math.round((Number(estimatedMs) / 60_000) * (0.85 + 0.3 * random())));
  return { success, actualMs: BigInt(minutes) * 60_000n };
}
