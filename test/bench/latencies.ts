/** How long things took. */
export interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Sums up measured times; all 0 when there are none. */
export function latenciesOf(tookMs: readonly number[]): Latencies {
  const sorted = Float64Array.from(tookMs).sort();
  return {
    p50Ms: percentileOf(sorted, 0.5),
    p99Ms: percentileOf(sorted, 0.99),
    maxMs: sorted.at(-1) ?? 0,
  };
}

/** The smallest value that a share of all values does not exceed (nearest rank); `sorted` ascends. */
export function percentileOf(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? 0;
}

/** The middle value, or of two the mean; undefined when there is none. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.ceil(sorted.length / 2) - 1];
  const high = sorted[Math.floor(sorted.length / 2)];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
