import type { ScoredBid, Terms } from "./bid.ts";
import { PPM, type Ratio, roundTogether, sumRatios, within } from "./ratio.ts";

/** The rules by which bids can be scored; a rule never changes, a new one gets a new name. */
export const POLICY_NAMES = [
  "CIVIC_V1",
  "CIVIC_V1_CODE",
  "LOWEST_PRICE",
  "POSTED_PRICE",
  "VALUE",
] as const;

/** Name of a scoring policy. */
export type PolicyName = (typeof POLICY_NAMES)[number];

/** What a part of a score is about. */
export type PartName = "cost" | "latency" | "success" | "calibration" | "multiplier";

/** One term of a score. */
export interface ScorePart {
  readonly name: PartName;
  readonly micros: bigint;
}

/** A score and the terms it is the exact sum of; the lower score wins under every policy. */
export interface Score {
  readonly scoreMicros: bigint;
  readonly parts: readonly ScorePart[];
}

interface Term extends Ratio {
  readonly name: PartName;
}

const POLICIES: Readonly<Record<PolicyName, (terms: Terms, bid: ScoredBid) => readonly Term[]>> = {
  CIVIC_V1: (terms, bid) => civic(terms, bid, 10n),
  CIVIC_V1_CODE: (terms, bid) => civic(terms, bid, 3n),
  LOWEST_PRICE: (_terms, bid) => [whole("cost", bid.priceMicros)],
  POSTED_PRICE: (_terms, bid) => [whole("multiplier", -bid.multiplierPpm)],
  VALUE: (terms, bid) => [
    whole("cost", bid.priceMicros),
    { name: "success", numerator: -bid.successPpm * valueMicros(terms), denominator: PPM },
  ],
};

/**
 * Scores one bid; the lower score wins. CIVIC scores are ppm. LOWEST_PRICE is the price in micros.
 * VALUE is the surplus `p * V - price` in micros, negated; POSTED_PRICE the reputation multiplier
 * in ppm, negated. It depends on nothing but its arguments, so never on the other bids. A bid that
 * breaks the terms (too dear, too slow) is scored all the same: refusing it is the auction's part.
 * Throws RangeError for limits that are not positive, negative amounts and ratios outside 0..1.
 */
export function score(policy: PolicyName, terms: Terms, bid: ScoredBid): Score {
  const exact = termsOfScore(policy, terms, bid);
  const { total, shares } = roundTogether(exact);
  return {
    scoreMicros: total,
    parts: exact.map(({ name }, index) => ({ name, micros: shares[index] ?? 0n })),
  };
}

/** The score before it is rounded. */
export function exactScore(policy: PolicyName, terms: Terms, bid: ScoredBid): Ratio {
  return sumRatios(termsOfScore(policy, terms, bid));
}

/** What success is worth to the buyer: the declared value, or the max cost when none is. */
export function valueMicros(terms: Terms): bigint {
  return terms.valueMicros ?? terms.maxCostMicros;
}

function termsOfScore(policy: PolicyName, terms: Terms, bid: ScoredBid): readonly Term[] {
  checkTerms(terms);
  checkBid(bid);
  return POLICIES[policy](terms, bid);
}

/** 0.4 cost/max + 0.3 latency/max + (tenths / 10) * 2 * (1 - p) - 0.2 * (calibration - 0.5). */
function civic(terms: Terms, bid: ScoredBid, successTenths: bigint): readonly Term[] {
  return [
    { name: "cost", numerator: 400_000n * bid.priceMicros, denominator: terms.maxCostMicros },
    { name: "latency", numerator: 300_000n * bid.latencyMs, denominator: terms.maxLatencyMs },
    {
      name: "success",
      numerator: successTenths * 2n * (PPM - bid.successPpm),
      denominator: 10n,
    },
    { name: "calibration", numerator: PPM / 2n - bid.calibrationPpm, denominator: 5n },
  ];
}

function whole(name: PartName, micros: bigint): Term {
  return { name, numerator: micros, denominator: 1n };
}

function checkTerms(terms: Terms): void {
  within("maxCostMicros", terms.maxCostMicros, 1n);
  within("maxLatencyMs", terms.maxLatencyMs, 1n);
  within("valueMicros", valueMicros(terms), 0n);
}

function checkBid(bid: ScoredBid): void {
  within("priceMicros", bid.priceMicros, 0n);
  within("latencyMs", bid.latencyMs, 0n);
  within("successPpm", bid.successPpm, 0n, PPM);
  within("calibrationPpm", bid.calibrationPpm, 0n, PPM);
  within("multiplierPpm", bid.multiplierPpm, 0n);
}
