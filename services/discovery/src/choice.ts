import type { Agents } from "./market/agents.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";
import type { Rotation } from "./rotation.ts";
import type { SlowStart } from "./slow-start.ts";

/** A way to pick one of many. */
export type Strategy =
  | "ROUND_ROBIN"
  | "LEAST_LOADED"
  | "RANDOM"
  | "CHEAPEST"
  | "BEST"
  | "WEIGHTED"
  | "POWER_OF_TWO"
  | "FASTEST";

/** What a strategy chooses from; there is at least one eligible agent. */
export interface Choosing {
  /** The eligible agents, until something is waited for. */
  readonly view: View;
  /** The same as they are later. @throws Wanted */
  readonly look: () => View;
  /** Does what looks at agents, see `Market.finding`. */
  readonly finding: <T>(work: () => T | Promise<T>) => T | Promise<T>;
  readonly agents: Agents;
  /** How many to name, the chosen one included; at least 1. */
  readonly count: number;
  readonly rotation: Rotation;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly now: () => Date;
  /** Undefined: newcomers have their whole share. */
  readonly slowStart: SlowStart | undefined;
}

/** The chosen one, others in the order to try them, and why. */
export interface Choice {
  readonly chosen: Slot;
  readonly alternates: readonly Slot[];
  readonly reason: string;
  /** How many there were to choose from, or about how many. */
  readonly eligibleCount: number;
  readonly isEstimate: boolean;
}

/** The agents that were chosen from, in words. */
export function among({ size, isEstimate }: Pick<View, "size" | "isEstimate">): string {
  const about = isEstimate ? "about " : "";
  return `of ${about}${size} eligible ${size === 1 ? "agent" : "agents"}`;
}

/** The same in figures. */
export function countOf({ size, isEstimate }: Pick<View, "size" | "isEstimate">) {
  return { eligibleCount: size, isEstimate };
}
