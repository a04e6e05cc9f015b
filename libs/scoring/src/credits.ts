import { PPM, type Ratio, roundHalfEven, within } from "./ratio.ts";

/** What a finished task was promised to cost and take, and what it did. */
export interface Performance {
  readonly success: boolean;
  /** > 0 */
  readonly bidMicros: bigint;
  /** > 0 */
  readonly estimatedLatencyMs: bigint;
  readonly actualLatencyMs: bigint;
  /** Absent or 0: as bid. */
  readonly actualCostMicros?: bigint | undefined;
}

/** `clamp(1 - |actual - estimate| / estimate, 0, 1)` in ppm; throws RangeError if estimate <= 0. */
export function accuracyPpm(actual: bigint, estimate: bigint): bigint {
  const { numerator, denominator } = accuracy(actual, estimate);
  return roundHalfEven(numerator * PPM, denominator);
}

/**
 * Credits earned, in micros of CRD: `bid + (latency accuracy + cost accuracy) / 2 * bid * 0.2` on
 * success and `-bid / 2` on failure, rounded once.
 */
export function creditsMicros(performance: Performance): bigint {
  const { success, bidMicros, estimatedLatencyMs, actualLatencyMs } = performance;
  within("bidMicros", bidMicros, 1n);
  if (!success) return roundHalfEven(-bidMicros, 2n);
  const latency = accuracy(actualLatencyMs, estimatedLatencyMs);
  const cost = accuracy(performance.actualCostMicros || bidMicros, bidMicros);
  const denominator = 10n * latency.denominator * cost.denominator;
  const bonus = latency.numerator * cost.denominator + cost.numerator * latency.denominator;
  return roundHalfEven(bidMicros * (denominator + bonus), denominator);
}

function accuracy(actual: bigint, estimate: bigint): Ratio {
  within("estimate", estimate, 1n);
  within("actual", actual, 0n);
  const error = actual > estimate ? actual - estimate : estimate - actual;
  return { numerator: error >= estimate ? 0n : estimate - error, denominator: estimate };
}
