import {
  ceilDivide,
  clamp,
  floorDivide,
  integerSqrt,
  PPM,
  type Ratio,
  roundHalfEven,
  within,
} from "./ratio.ts";

/** Evidence weighs half after this long: 90 days. */
export const HALF_LIFE_MS = 7_776_000_000n;

/** Beta(1, 1): before any evidence every probability of success is as likely as another. */
export const PRIOR_MICROS = 1_000_000n;

/** Successes and failures, in millionths of an outcome, as they weighed at `asOfMs` (Unix ms). */
export interface Evidence {
  readonly successMicros: bigint;
  readonly failureMicros: bigint;
  readonly asOfMs: bigint;
}

/** An estimate of a probability with its 95% interval, in ppm. */
export interface ReliabilityBound {
  readonly meanPpm: bigint;
  readonly lowerPpm: bigint;
  readonly upperPpm: bigint;
}

/** The Beta posterior of an agent's success and its bound. */
export interface Reliability extends ReliabilityBound {
  readonly alphaMicros: bigint;
  readonly betaMicros: bigint;
  /** The weight of the evidence that is left, without the prior, in millionths of an outcome. */
  readonly evidenceMicros: bigint;
}

/** No evidence at all. */
export const NO_EVIDENCE: Evidence = { successMicros: 0n, failureMicros: 0n, asOfMs: 0n };

/**
 * Adds an outcome of `weightPpm` that happened at `atMs`. One that arrives late (before `asOfMs`)
 * enters already decayed, so that the order of arrival matters by rounding only.
 */
export function addEvidence(
  evidence: Evidence,
  outcome: { readonly success: boolean; readonly weightPpm: bigint; readonly atMs: bigint },
): Evidence {
  const lateMs = evidence.asOfMs - outcome.atMs;
  const asOfMs = lateMs > 0n ? evidence.asOfMs : outcome.atMs;
  const aged = ageEvidence(evidence, asOfMs);
  const weight = decay(outcome.weightPpm, lateMs);
  return {
    successMicros: aged.successMicros + (outcome.success ? weight : 0n),
    failureMicros: aged.failureMicros + (outcome.success ? 0n : weight),
    asOfMs,
  };
}

/**
 * From how many outcomes at most one requester's word about an agent counts: 5. Its outcomes are correlated as if every
 * two of them had a fifth in common.
 */
export const PAIR_OUTCOMES_MAX = 5n;

/**
 * The share in which the outcomes of one requester count that weigh `weightMicros` together, as numerator and
 * denominator: 1 up to one outcome, then `1 / (1 + (m - 1) / 5)` for m outcomes. That is the effective size of a sample
 * from one cluster (L. Kish, Survey Sampling, 1965: design effect `1 + (m - 1) rho`, here with rho = 1/5), so that m
 * outcomes count as `5 m / (m + 4)`: 1 as 1, 6 as 3, and any number as less than 5.
 */
export function pairShare(weightMicros: bigint): Ratio {
  const own = PAIR_OUTCOMES_MAX * PPM;
  if (weightMicros <= PPM) return { numerator: own, denominator: own };
  return { numerator: own, denominator: own - PPM + weightMicros };
}

/** What of the evidence of one requester counts, when it was last added to. */
export function countedOfPair(pair: Evidence): Evidence {
  const { numerator, denominator } = pairShare(pair.successMicros + pair.failureMicros);
  return {
    successMicros: roundHalfEven(pair.successMicros * numerator, denominator),
    failureMicros: roundHalfEven(pair.failureMicros * numerator, denominator),
    asOfMs: pair.asOfMs,
  };
}

/**
 * Adds an outcome to the evidence of all requesters: what counted of its requester's makes room for what counts with
 * it. `pair` is all that this requester had told before, uncapped. The cost does not depend on how much there is, and
 * the order of arrival matters by rounding only.
 */
export function addPairEvidence(
  total: Evidence,
  pair: Evidence,
  outcome: Parameters<typeof addEvidence>[1],
): Evidence {
  const after = addEvidence(pair, outcome);
  const lateMs = total.asOfMs - after.asOfMs;
  const asOfMs = lateMs > 0n ? total.asOfMs : after.asOfMs;
  const [all, less, more] = [total, countedOfPair(pair), countedOfPair(after)].map((evidence) =>
    ageEvidence(evidence, asOfMs),
  ) as [Evidence, Evidence, Evidence];
  const rest = (amount: bigint) => (amount < 0n ? 0n : amount);
  return {
    successMicros: rest(all.successMicros - less.successMicros) + more.successMicros,
    failureMicros: rest(all.failureMicros - less.failureMicros) + more.failureMicros,
    asOfMs,
  };
}

/** What evidence weighs at a later time; at an earlier one it is returned as it is. */
export function ageEvidence(evidence: Evidence, atMs: bigint): Evidence {
  const elapsedMs = atMs - evidence.asOfMs;
  if (elapsedMs <= 0n) return evidence;
  return {
    successMicros: decay(evidence.successMicros, elapsedMs),
    failureMicros: decay(evidence.failureMicros, elapsedMs),
    asOfMs: atMs,
  };
}

/** The posterior at a time: the prior, which does not age, and the evidence as it weighs then. */
export function reliabilityOf(evidence: Evidence, atMs: bigint): Reliability {
  const aged = ageEvidence(evidence, atMs);
  const alphaMicros = PRIOR_MICROS + aged.successMicros;
  const betaMicros = PRIOR_MICROS + aged.failureMicros;
  const evidenceMicros = aged.successMicros + aged.failureMicros;
  return { alphaMicros, betaMicros, evidenceMicros, ...reliabilityBound(alphaMicros, betaMicros) };
}

/** z = 1.96, squared, in micro-counts. */
const Z2_MICROS = 3_841_600n;
const ROOT_SCALE = 1_000_000n;

/**
 * Mean and 95% interval of Beta(alpha, beta), given in micro-counts, not both 0: the score interval
 * of E. B. Wilson (J. Am. Stat. Assoc. 22, 1927) with alpha successes and beta failures,
 * `(2a + z^2 -+ z * sqrt(z^2 + 4ab/n)) / 2(n + z^2)`, n = a + b, by integer square root. The bounds
 * are rounded outwards: lower <= mean <= upper, all in 0..1.
 */
export function reliabilityBound(alphaMicros: bigint, betaMicros: bigint): ReliabilityBound {
  within("alphaMicros", alphaMicros, 0n);
  within("betaMicros", betaMicros, 0n);
  const n = within("alphaMicros + betaMicros", alphaMicros + betaMicros, 1n);
  const radicand = Z2_MICROS * (Z2_MICROS * n + 4n * alphaMicros * betaMicros) * ROOT_SCALE ** 2n;
  const root = integerSqrt(ceilDivide(radicand, n)) + 1n;
  const centre = (2n * alphaMicros + Z2_MICROS) * ROOT_SCALE;
  const denominator = 2n * (n + Z2_MICROS) * ROOT_SCALE;
  return {
    meanPpm: roundHalfEven(alphaMicros * PPM, n),
    lowerPpm: clamp(floorDivide((centre - root) * PPM, denominator), 0n, PPM),
    upperPpm: clamp(ceilDivide((centre + root) * PPM, denominator), 0n, PPM),
  };
}

const FRACTION_BITS = 40;
const SCALE_BITS = 64n;

/** 2^(-1/2), 2^(-1/4), 2^(-1/8) ... in units of 2^-64, by repeated integer square roots. */
const ROOTS_OF_HALF: readonly bigint[] = (() => {
  const roots: bigint[] = [];
  let power = 1n << (SCALE_BITS - 1n);
  for (let bit = 0; bit < FRACTION_BITS; bit += 1) {
    power = integerSqrt(power << SCALE_BITS);
    roots.push(power);
  }
  return roots;
})();

/**
 * `amount * 2^(-elapsed / HALF_LIFE_MS)`, rounded half to even; a time that has not passed changes
 * nothing. Integers only, so that every machine agrees.
 */
export function decay(amount: bigint, elapsedMs: bigint): bigint {
  if (elapsedMs <= 0n) return amount;
  const halvings = elapsedMs / HALF_LIFE_MS;
  if (halvings >= 128n) return 0n;
  const fraction = ((elapsedMs % HALF_LIFE_MS) << BigInt(FRACTION_BITS)) / HALF_LIFE_MS;
  let factor = 1n << SCALE_BITS;
  for (const [index, root] of ROOTS_OF_HALF.entries()) {
    const bit = (fraction >> BigInt(FRACTION_BITS - 1 - index)) & 1n;
    if (bit === 1n) factor = (factor * root) >> SCALE_BITS;
  }
  return roundHalfEven(amount * factor, 1n << (SCALE_BITS + halvings));
}
