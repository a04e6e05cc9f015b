import { multiplierPpm, type Reputation, reliability } from "@bourse/scoring";
import type { Agent } from "./agent.ts";

/** What agents are ranked by. */
export type View = "RELIABILITY" | "SCORE" | "CALIBRATION" | "MULTIPLIER";

/** The place of an agent, over all it did ("") or at a capability. */
export interface Standing {
  readonly agentId: string;
  readonly capability: string;
  readonly lowerPpm: bigint;
  readonly scorePpm: bigint;
  readonly calibrationPpm: bigint;
  readonly multiplierPpm: bigint;
  /** The time of the reliability: it fades from then on. */
  readonly keyedAt: Date;
}

/**
 * A place is reckoned anew once it is this old: a day. Within a day evidence loses 0.8% of its weight, which moves the
 * bound of a reliability by less than 0.002, so that much two agents may stand in the wrong order.
 */
export const KEYED_MS = 86_400_000;

/** Whether anything is known of how an agent works. */
export function hasRecord({ completed, failed, scorePpm }: Reputation): boolean {
  return completed > 0n || failed > 0n || scorePpm > 0n;
}

/** The places of an agent at `now`: none without a record, and none for a tombstone. */
export function standingsOf(
  { id: agentId, reputation, unregisteredAt }: Agent,
  now: Date,
): readonly Standing[] {
  if (unregisteredAt !== undefined || !hasRecord(reputation)) return [];
  const { scorePpm, calibrationPpm, evidenceByCapability } = reputation;
  const views = { scorePpm, calibrationPpm, multiplierPpm: multiplierPpm(reputation) };
  return ["", ...evidenceByCapability.keys()].map((capability) => {
    const { lowerPpm } = reliability(reputation, now, capability === "" ? undefined : capability);
    return { agentId, capability, lowerPpm, ...views, keyedAt: now };
  });
}
