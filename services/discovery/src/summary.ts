import type { Market } from "./market/market.ts";

/** How many agents have a capability. */
export interface CapabilityCount {
  readonly capability: string;
  readonly agents: number;
  /** Of these, ONLINE. */
  readonly online: number;
}

/** Counts agents per capability: most first, then by name. */
export function summarize(market: Market): readonly CapabilityCount[] {
  return [...market.capabilities()].sort(
    (a, b) => b.agents - a.agents || (a.capability < b.capability ? -1 : 1),
  );
}
