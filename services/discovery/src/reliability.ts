import { NO_EVIDENCE, reliabilityOf } from "@bourse/scoring";

/** Capabilities that are wanted: all of them, or any one. */
export interface Wanted {
  readonly capabilities: readonly string[];
  readonly match: "ALL" | "ANY";
}

/** A whole, in ppm. */
export const PPM = 1_000_000;

/** The lower bound, in ppm, of an agent that has no record at a capability. */
export const UNPROVEN_PPM = Number(reliabilityOf(NO_EVIDENCE, 0n).lowerPpm);
