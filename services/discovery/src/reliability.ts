import { NO_EVIDENCE, reliabilityOf } from "@bourse/scoring";
import type { Listing } from "./listing.ts";

/** Capabilities that are wanted: all of them, or any one. */
export interface Wanted {
  readonly capabilities: readonly string[];
  readonly match: "ALL" | "ANY";
}

/** The lower bound, in ppm, of an agent that has no record at a capability. */
export const UNPROVEN_PPM = Number(reliabilityOf(NO_EVIDENCE, 0n).lowerPpm);

/**
 * How surely an agent succeeds at what is wanted, in ppm: at its weakest of the capabilities when all are wanted, at
 * its strongest when any will do, and at its strongest of all when none is named.
 */
export function reliabilityPpm(listing: Listing, { capabilities, match }: Wanted): number {
  const named = capabilities.length > 0;
  const relevant = named ? capabilities : listing.capabilities;
  let weakest = Infinity;
  let strongest = -Infinity;
  for (const capability of relevant) {
    if (!listing.capabilities.includes(capability)) continue;
    const bound = listing.reliabilityPpm.get(capability) ?? UNPROVEN_PPM;
    if (bound < weakest) weakest = bound;
    if (bound > strongest) strongest = bound;
  }
  if (strongest === -Infinity) return UNPROVEN_PPM;
  return named && match === "ALL" ? weakest : strongest;
}
