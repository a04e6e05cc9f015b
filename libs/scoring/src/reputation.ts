import { INITIAL_CALIBRATION_PPM, nextCalibrationPpm } from "./calibration.ts";
import { accuracyPpm } from "./credits.ts";
import { clamp, compare, PPM, roundHalfEven, within } from "./ratio.ts";
import {
  addEvidence,
  addPairEvidence,
  ageEvidence,
  type Evidence,
  NO_EVIDENCE,
  type Reliability,
  reliabilityOf,
} from "./reliability.ts";

/** Ends of the feedback score: 0 and 5. */
export const MAX_SCORE_PPM = 5_000_000n;

/**
 * Capabilities of which evidence is kept: 256. An agent that works at more forgets the one of which it
 * has the least, so that no history outgrows what can be stored and sent.
 */
export const CAPABILITIES_MAX = 256;

/** All that is kept of how an agent has done; what can be derived is a function beside it. */
export interface Reputation {
  /** Feedback score, 0..5_000_000. */
  readonly scorePpm: bigint;
  /** Accuracy of its estimates, 0..1_000_000. */
  readonly calibrationPpm: bigint;
  readonly completed: bigint;
  readonly failed: bigint;
  /** Outcomes whose latency is known, and the sum of these. */
  readonly timed: bigint;
  readonly latencyTotalMs: bigint;
  /** Evidence from every outcome, and from those of each capability. */
  readonly evidence: Evidence;
  readonly evidenceByCapability: ReadonlyMap<string, Evidence>;
}

/** How a task that was settled here ended for the agent that had won it. */
export interface Outcome {
  readonly success: boolean;
  readonly capabilities: readonly string[];
  /** Absent or 0 when not known; calibration then stays as it is. */
  readonly estimatedLatencyMs?: bigint | undefined;
  readonly actualLatencyMs?: bigint | undefined;
  /** Weight of the feedback, 0..5_000_000; absent: 1_000_000. */
  readonly weightPpm?: bigint | undefined;
}

/** What the outcomes of one requester about an agent weigh, before they are capped. */
export interface PairEvidence {
  readonly all: Evidence;
  readonly byCapability: ReadonlyMap<string, Evidence>;
}

/** A requester of whom the agent did no work yet. */
export const NO_PAIR: PairEvidence = { all: NO_EVIDENCE, byCapability: new Map() };

const INITIAL: Reputation = {
  scorePpm: 0n,
  calibrationPpm: INITIAL_CALIBRATION_PPM,
  completed: 0n,
  failed: 0n,
  timed: 0n,
  latencyTotalMs: 0n,
  evidence: NO_EVIDENCE,
  evidenceByCapability: new Map(),
};

/** The reputation of an agent that has not worked yet: score 0, calibration 1, no evidence. All have the same. */
export function initialReputation(): Reputation {
  return INITIAL;
}

/**
 * The reputation after one more outcome, which happened at `now`. `pair` is what its requester's outcomes about this
 * agent weighed before, see `addToPair`: a requester's word counts less the more of it there is. Applying an outcome
 * twice counts it twice: knowing which ones were applied is the caller's part. Throws RangeError for a weight outside
 * 0..5 and for negative latencies.
 */
export function applyOutcome(
  reputation: Reputation,
  outcome: Outcome,
  now: Date,
  pair: PairEvidence = NO_PAIR,
): Reputation {
  const weightPpm = within("weightPpm", outcome.weightPpm ?? PPM, 0n, MAX_SCORE_PPM);
  const actualMs = within("actualLatencyMs", outcome.actualLatencyMs ?? 0n, 0n);
  const estimatedMs = within("estimatedLatencyMs", outcome.estimatedLatencyMs ?? 0n, 0n);
  const event = eventOf(outcome, now);
  const counted = {
    ...adjustScore(reputation, outcome.success ? weightPpm : -weightPpm),
    completed: reputation.completed + (outcome.success ? 1n : 0n),
    failed: reputation.failed + (outcome.success ? 0n : 1n),
    timed: reputation.timed + (actualMs > 0n ? 1n : 0n),
    latencyTotalMs: reputation.latencyTotalMs + actualMs,
    evidence: addPairEvidence(reputation.evidence, pair.all, event),
    evidenceByCapability: mostOf(
      addToEach(reputation.evidenceByCapability, outcome.capabilities, (evidence, capability) =>
        addPairEvidence(evidence, pair.byCapability.get(capability) ?? NO_EVIDENCE, event),
      ),
      event.atMs,
    ),
  };
  if (actualMs === 0n || estimatedMs === 0n) return counted;
  const calibrationPpm = nextCalibrationPpm({
    oldPpm: reputation.calibrationPpm,
    latencyAccuracyPpm: accuracyPpm(actualMs, estimatedMs),
    successRatePpm: successRatePpm(counted) ?? 0n,
  });
  return { ...counted, calibrationPpm };
}

/** What the outcomes of a requester weigh with one more, which happened at `now`. Throws as `applyOutcome` does. */
export function addToPair(pair: PairEvidence, outcome: Outcome, now: Date): PairEvidence {
  const event = eventOf(outcome, now);
  return {
    all: addEvidence(pair.all, event),
    byCapability: addToEach(pair.byCapability, outcome.capabilities, (evidence) =>
      addEvidence(evidence, event),
    ),
  };
}

/** Moves the feedback score by hand; it stays within 0..5. */
export function adjustScore(reputation: Reputation, deltaPpm: bigint): Reputation {
  return { ...reputation, scorePpm: clamp(reputation.scorePpm + deltaPpm, 0n, MAX_SCORE_PPM) };
}

/** Successes among all outcomes in ppm; undefined before the first. */
export function successRatePpm(counts: Counts): bigint | undefined {
  const total = counts.completed + counts.failed;
  return total === 0n ? undefined : roundHalfEven(counts.completed * PPM, total);
}

/** Mean latency of the outcomes whose latency is known; undefined when there are none. */
export function averageLatencyMs(
  latencies: Pick<Reputation, "timed" | "latencyTotalMs">,
): bigint | undefined {
  if (latencies.timed === 0n) return undefined;
  return roundHalfEven(latencies.latencyTotalMs, latencies.timed);
}

const TIERS = [
  { percent: 95n, ppm: 2_000_000n },
  { percent: 90n, ppm: 1_800_000n },
  { percent: 80n, ppm: 1_500_000n },
  { percent: 70n, ppm: 1_200_000n },
  { percent: 60n, ppm: 1_000_000n },
] as const;

/**
 * The multiplier that a success rate earns: 2.0 from 95%, 1.8 from 90%, 1.5 from 80%, 1.2 from 70%,
 * 1.0 from 60%, else 0.5; 1.0 before the first outcome. The rate is compared unrounded.
 */
export function multiplierPpm(counts: Counts): bigint {
  const total = counts.completed + counts.failed;
  if (total === 0n) return PPM;
  const tier = TIERS.find(({ percent }) => counts.completed * 100n >= percent * total);
  return tier?.ppm ?? 500_000n;
}

/** How sure success is at a time: with one capability, or in all it did when none is named. */
export function reliability(reputation: Reputation, now: Date, capability?: string): Reliability {
  const evidence =
    capability === undefined
      ? reputation.evidence
      : (reputation.evidenceByCapability.get(capability) ?? NO_EVIDENCE);
  return reliabilityOf(evidence, BigInt(now.getTime()));
}

type Counts = Pick<Reputation, "completed" | "failed">;

function eventOf(outcome: Outcome, now: Date) {
  const weightPpm = within("weightPpm", outcome.weightPpm ?? PPM, 0n, MAX_SCORE_PPM);
  return { success: outcome.success, weightPpm, atMs: BigInt(now.getTime()) };
}

/** The evidence that weighs most at a time, of as many capabilities as are kept. */
function mostOf(
  evidence: ReadonlyMap<string, Evidence>,
  atMs: bigint,
): ReadonlyMap<string, Evidence> {
  if (evidence.size <= CAPABILITIES_MAX) return evidence;
  const weighed = [...evidence].map(([capability, each]) => {
    const { successMicros, failureMicros } = ageEvidence(each, atMs);
    return { capability, each, weight: successMicros + failureMicros };
  });
  weighed.sort((one, other) => compare(other.weight, one.weight));
  const kept = weighed.slice(0, CAPABILITIES_MAX);
  return new Map(kept.map(({ capability, each }) => [capability, each]));
}

function addToEach(
  before: ReadonlyMap<string, Evidence>,
  capabilities: readonly string[],
  add: (evidence: Evidence, capability: string) => Evidence,
): ReadonlyMap<string, Evidence> {
  const after = new Map(before);
  for (const capability of capabilities) {
    after.set(capability, add(before.get(capability) ?? NO_EVIDENCE, capability));
  }
  return after;
}
