import { decay, fromPpm, PPM, pairShare } from "@bourse/scoring";
import type { ExplainedOutcome } from "./store.ts";

/** How a piece of evidence counts. */
export type EvidenceStanding = "COUNTED" | "PAIR_CAPPED" | "SELF_DEALING";

/** What an outcome contributes to a reliability now. */
export interface Contribution {
  readonly standing: EvidenceStanding;
  readonly effectiveAt: Date;
  readonly weight: number;
  readonly share: number;
  readonly countedWeight: number;
}

/** What an outcome contributes at `now`; the contract tells the formula in the comment of Evidence. */
export function contributionOf(outcome: ExplainedOutcome, now: Date): Contribution {
  const { endedAt, recordedAt, weightPpm, pairMicros, counted } = outcome;
  const effectiveAt = new Date(Math.min(endedAt.getTime(), recordedAt.getTime()));
  const weight = fromPpm(weightPpm);
  if (!counted) {
    return { standing: "SELF_DEALING", effectiveAt, weight, share: 0, countedWeight: 0 };
  }
  // Without a pair it was recorded before there was a cap.
  const { numerator, denominator } = pairShare(pairMicros ?? 0n);
  const left = decay(weightPpm, BigInt(now.getTime() - effectiveAt.getTime()));
  return {
    standing: numerator === denominator ? "COUNTED" : "PAIR_CAPPED",
    effectiveAt,
    weight,
    share: fromPpm((numerator * PPM) / denominator),
    countedWeight: fromPpm((left * numerator) / denominator),
  };
}
