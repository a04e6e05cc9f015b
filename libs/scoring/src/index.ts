export { type Complexity, complexityLevel, type ScoredBid, type Terms } from "./bid.ts";
export { INITIAL_CALIBRATION_PPM, nextCalibrationPpm } from "./calibration.ts";
export {
  bidFromCostModel,
  type CostModel,
  DEFAULT_COST_MODEL,
  type ModelBid,
  postedPriceMicros,
} from "./cost-model.ts";
export { accuracyPpm, creditsMicros, type Performance } from "./credits.ts";
export {
  formatDuration,
  formatMicros,
  formatMoney,
  type Money,
  type MoneyPer,
  NotationError,
  parseDuration,
  parseMicros,
  parseMoney,
  parseRatio,
} from "./notation.ts";
export {
  type ContingentPayment,
  contingentPayment,
  type PaymentRule,
  price,
} from "./payment.ts";
export {
  type PartName,
  POLICY_NAMES,
  type PolicyName,
  type Score,
  type ScorePart,
  score,
} from "./policy.ts";
export { compareBids, type RankedBid, rank } from "./ranking.ts";
export { fromPpm, PPM, toPpm } from "./ratio.ts";
export {
  ageEvidence,
  decay,
  type Evidence,
  HALF_LIFE_MS,
  NO_EVIDENCE,
  PRIOR_MICROS,
  pairShare,
  type Reliability,
  type ReliabilityBound,
  reliabilityBound,
  reliabilityOf,
} from "./reliability.ts";
export {
  addToPair,
  adjustScore,
  applyOutcome,
  averageLatencyMs,
  CAPABILITIES_MAX,
  initialReputation,
  MAX_SCORE_PPM,
  multiplierPpm,
  NO_PAIR,
  type Outcome,
  type PairEvidence,
  type Reputation,
  reliability,
  successRatePpm,
} from "./reputation.ts";
