import {
  addToPair,
  adjustScore,
  applyOutcome,
  type PairEvidence,
  PPM,
  type Reputation,
} from "@bourse/scoring";
import type { BreakerEvent } from "./breaker.ts";

/** How a task that was settled here ended for the agent that did it. */
export interface Outcome {
  readonly id: string;
  readonly agentId: string;
  readonly requesterId: string;
  /** Normalised. */
  readonly capability: string;
  readonly success: boolean;
  readonly estimatedLatencyMs: bigint;
  readonly actualLatencyMs: bigint;
  readonly weightPpm: bigint;
  readonly endedAt: Date;
}

/** No agent earns a reputation with work that it has ordered itself. */
export function counts(outcome: Pick<Outcome, "agentId" | "requesterId">): boolean {
  return outcome.agentId !== outcome.requesterId;
}

/** An agent's reputation, and what the outcomes of one requester about it weigh. */
export interface Record {
  readonly reputation: Reputation;
  readonly pair: PairEvidence;
}

/** The record with one more outcome; one that claims to be of the future is taken to be of `now`. */
export function fold(record: Record, outcome: Outcome, now: Date): Record {
  if (!counts(outcome)) return record;
  const { success, capability, estimatedLatencyMs, actualLatencyMs, weightPpm } = outcome;
  const endedAt = outcome.endedAt > now ? now : outcome.endedAt;
  const capabilities = [capability];
  const told = { success, capabilities, estimatedLatencyMs, actualLatencyMs, weightPpm };
  return {
    reputation: applyOutcome(record.reputation, told, endedAt, record.pair),
    pair: addToPair(record.pair, told, endedAt),
  };
}

/** The reputation with its score moved by hand, within 0 to 5. */
export function adjust(reputation: Reputation, deltaPpm: bigint): Reputation {
  return adjustScore(reputation, deltaPpm);
}

/** The weight of an outcome that names none. */
export const DEFAULT_WEIGHT_PPM = PPM;

/**
 * What an outcome tells the breaker, with the calibration of the agent before and after it, and the least that opens
 * none, all in millionths. Whether work failed is the word of who ordered it, so that counts as the report of a
 * customer; how wrong an estimate was is not, and an agent that meets its estimates keeps a calibration of 0.6 whoever
 * rejects its work.
 */
export function breakerEvents(
  { id: reportId, requesterId, success }: Outcome,
  calibration: { readonly beforePpm: bigint; readonly afterPpm: bigint; readonly leastPpm: bigint },
): readonly BreakerEvent[] {
  const reporter = { id: `agent:${requesterId}`, standing: "customer" } as const;
  const { beforePpm, afterPpm, leastPpm } = calibration;
  const isAstray = afterPpm < leastPpm && afterPpm < beforePpm;
  return [
    { kind: success ? "success" : "failure", reporter, reportId },
    ...(isAstray ? [{ kind: "calibration", reportId } as const] : []),
  ];
}
