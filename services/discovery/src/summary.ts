import type { Market } from "./market.ts";

/** How many agents have a capability. */
export interface CapabilityCount {
  readonly capability: string;
  readonly agents: number;
  /** Of these, ONLINE. */
  readonly online: number;
}

/** Counts agents per capability: most first, then by name. */
export function summarize(market: Market): readonly CapabilityCount[] {
  const counts = Array.from(market.capabilities(), (capability) => {
    let online = 0;
    for (const { state } of market.holders(capability)) if (state === "ONLINE") online += 1;
    return { capability, agents: market.countOf(capability), online };
  });
  return counts.sort((a, b) => b.agents - a.agents || (a.capability < b.capability ? -1 : 1));
}
