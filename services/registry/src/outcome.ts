import { adjustScore, applyOutcome, PPM, type Reputation } from "@bourse/scoring";

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

/** The reputation with one more outcome; one that claims to be of the future is taken to be of `now`. */
export function fold(reputation: Reputation, outcome: Outcome, now: Date): Reputation {
  if (!counts(outcome)) return reputation;
  const { success, capability, estimatedLatencyMs, actualLatencyMs, weightPpm } = outcome;
  const endedAt = outcome.endedAt > now ? now : outcome.endedAt;
  return applyOutcome(
    reputation,
    { success, capabilities: [capability], estimatedLatencyMs, actualLatencyMs, weightPpm },
    endedAt,
  );
}

/** The reputation with its score moved by hand, within 0 to 5. */
export function adjust(reputation: Reputation, deltaPpm: bigint): Reputation {
  return adjustScore(reputation, deltaPpm);
}

/** The weight of an outcome that names none. */
export const DEFAULT_WEIGHT_PPM = PPM;
