/** What scoring needs to know of a bid. */
export interface ScoredBid {
  readonly bidId: string;
  /** Order of arrival within the task; the earlier bid wins what price cannot decide. */
  readonly sequence: bigint;
  readonly priceMicros: bigint;
  readonly latencyMs: bigint;
  /** Claimed probability of success, 0..1_000_000. */
  readonly successPpm: bigint;
  /** Calibration of the bidder when it bid, 0..1_000_000. */
  readonly calibrationPpm: bigint;
  /** Reputation multiplier of the bidder when it bid, 500_000..2_000_000; see `multiplierPpm`. */
  readonly multiplierPpm: bigint;
}

/** What scoring needs to know of a task. */
export interface Terms {
  /** > 0 */
  readonly maxCostMicros: bigint;
  /** > 0 */
  readonly maxLatencyMs: bigint;
  readonly complexity?: Complexity | undefined;
  /** What success is worth to the buyer (VALUE, CONTINGENT); absent: the max cost. */
  readonly valueMicros?: bigint | undefined;
}

/** A name, or a level from 1 to 10. */
export type Complexity = "low" | "medium" | "high" | "critical" | number;

const LEVELS: Readonly<Record<string, bigint>> = { low: 4n, medium: 6n, high: 8n, critical: 9n };
const LEVEL_UNKNOWN = 7n;

/**
 * The level from 1 to 10 that a complexity stands for: low 4, medium 6, high 8, critical 9, 7 when
 * it is not given. Throws RangeError for anything that is neither a name nor an integer of 1..10.
 */
export function complexityLevel(complexity: Complexity | undefined): bigint {
  if (complexity === undefined) return LEVEL_UNKNOWN;
  const level =
    typeof complexity === "number" && Number.isInteger(complexity)
      ? BigInt(complexity)
      : Object.hasOwn(LEVELS, complexity)
        ? LEVELS[complexity]
        : undefined;
  if (level !== undefined && level >= 1n && level <= 10n) return level;
  throw new RangeError(
    `complexity is ${complexity}, must be low, medium, high, critical or an integer from 1 to 10`,
  );
}
