import type { Evidence, Reputation } from "@bourse/scoring";

/** A reputation as it stands in the database: bigints as strings. */
export interface ReputationJson {
  readonly score_ppm: string;
  readonly calibration_ppm: string;
  readonly completed: string;
  readonly failed: string;
  readonly timed: string;
  readonly latency_total_ms: string;
  readonly evidence: EvidenceJson;
  readonly evidence_by_capability: Readonly<Record<string, EvidenceJson>>;
}

/** Successes and failures in millionths, and the time they weighed so, in ms. */
export type EvidenceJson = readonly [success: string, failure: string, asOf: string];

/** Writes a reputation down exactly. */
export function reputationToJson(reputation: Reputation): ReputationJson {
  return {
    score_ppm: String(reputation.scorePpm),
    calibration_ppm: String(reputation.calibrationPpm),
    completed: String(reputation.completed),
    failed: String(reputation.failed),
    timed: String(reputation.timed),
    latency_total_ms: String(reputation.latencyTotalMs),
    evidence: evidenceToJson(reputation.evidence),
    evidence_by_capability: Object.fromEntries(
      Array.from(reputation.evidenceByCapability, ([name, evidence]) => [
        name,
        evidenceToJson(evidence),
      ]),
    ),
  };
}

/** Reads a reputation back. @throws when a figure is missing or no whole number */
export function reputationFromJson(json: ReputationJson): Reputation {
  return {
    scorePpm: BigInt(json.score_ppm),
    calibrationPpm: BigInt(json.calibration_ppm),
    completed: BigInt(json.completed),
    failed: BigInt(json.failed),
    timed: BigInt(json.timed),
    latencyTotalMs: BigInt(json.latency_total_ms),
    evidence: evidenceFromJson(json.evidence),
    evidenceByCapability: new Map(
      Object.entries(json.evidence_by_capability).map(([name, evidence]) => [
        name,
        evidenceFromJson(evidence),
      ]),
    ),
  };
}

function evidenceToJson(evidence: Evidence): EvidenceJson {
  const { successMicros, failureMicros, asOfMs } = evidence;
  return [String(successMicros), String(failureMicros), String(asOfMs)];
}

function evidenceFromJson([success, failure, asOf]: EvidenceJson): Evidence {
  return {
    successMicros: BigInt(success),
    failureMicros: BigInt(failure),
    asOfMs: BigInt(asOf),
  };
}
