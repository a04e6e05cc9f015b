import { type Complexity, complexityLevel } from "./bid.ts";
import { PPM, roundHalfEven, within } from "./ratio.ts";

/** What an agent charges: a base price and a price per minute, scaled by a multiplier. */
export interface CostModel {
  readonly baseMicros: bigint;
  readonly perMinuteMicros: bigint;
  /** 1_000_000n = 1.0; scales the part that grows with time. */
  readonly complexityMultiplierPpm: bigint;
}

/** What an agent that registers no cost model has: base 1, nothing per minute, multiplier 1. */
export const DEFAULT_COST_MODEL: CostModel = {
  baseMicros: 1_000_000n,
  perMinuteMicros: 0n,
  complexityMultiplierPpm: PPM,
};

/** A bid made on behalf of an agent. */
export interface ModelBid {
  readonly priceMicros: bigint;
  readonly latencyMs: bigint;
  readonly successPpm: bigint;
}

const MINUTE_MS = 60_000n;

/**
 * The bid that follows from a cost model: it takes `max latency * level / 10` (low 0.4, medium 0.6,
 * high 0.8, critical 0.9, not given 0.7), cut to whole minutes when that leaves at least one, and
 * costs `base + minutes * per minute * multiplier`, to the micro. Success is the agent's SLA.
 * Whether the bid is legal is for the auction to check.
 */
export function bidFromCostModel(request: {
  readonly model: CostModel;
  /** Success rate of the agent's SLA, 0..1_000_000. */
  readonly successPpm: bigint;
  /** > 0 */
  readonly maxLatencyMs: bigint;
  readonly complexity?: Complexity | undefined;
}): ModelBid {
  const { model } = request;
  within("baseMicros", model.baseMicros, 0n);
  within("perMinuteMicros", model.perMinuteMicros, 0n);
  within("complexityMultiplierPpm", model.complexityMultiplierPpm, 0n);
  const latencyMs = estimateMs(request.maxLatencyMs, complexityLevel(request.complexity));
  const perMinute = model.perMinuteMicros * model.complexityMultiplierPpm;
  return {
    priceMicros: model.baseMicros + roundHalfEven(latencyMs * perMinute, MINUTE_MS * PPM),
    latencyMs,
    successPpm: within("successPpm", request.successPpm, 0n, PPM),
  };
}

/** The posted price, in micros of SAT: 100,000 SAT x complexity x reputation multiplier. */
export function postedPriceMicros(
  complexity: Complexity | undefined,
  multiplierPpm: bigint,
): bigint {
  return 100_000n * complexityLevel(complexity) * within("multiplierPpm", multiplierPpm, 0n);
}

function estimateMs(maxLatencyMs: bigint, level: bigint): bigint {
  const exactMs = (within("maxLatencyMs", maxLatencyMs, 1n) * level) / 10n;
  if (exactMs < MINUTE_MS) return exactMs > 0n ? exactMs : 1n;
  return exactMs - (exactMs % MINUTE_MS);
}
