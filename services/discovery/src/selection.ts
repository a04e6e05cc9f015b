import { Rejection } from "@bourse/rpc/rejection";
import type { Filter } from "./filter.ts";
import type { Listing } from "./listing.ts";
import { type Market, sift } from "./market.ts";
import type { Picks } from "./picks.ts";
import type { Rotation } from "./rotation.ts";
import { choose, type Strategy } from "./strategy.ts";

/** Asks for one agent. */
export interface Selection {
  readonly filter: Filter;
  readonly strategy: Strategy;
  /** How many others to name. */
  readonly alternates: number;
  /** Agents that must not be named. */
  readonly excluded: ReadonlySet<string>;
}

/** One agent, and whom to try next. */
export interface Selected {
  readonly chosen: Listing;
  readonly alternates: readonly Listing[];
  /** Why this one, in words. */
  readonly reason: string;
  /** How many there were to choose from. */
  readonly eligibleCount: number;
}

/** What selecting needs beside the market. */
export interface SelectionParts {
  readonly market: Market;
  readonly rotation: Rotation;
  readonly picks: Picks;
  readonly now: () => Date;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/**
 * Picks one agent and remembers the pick.
 * @throws Rejection NO_ELIGIBLE_AGENTS with the counts of who was kept out by what
 */
export async function select(parts: SelectionParts, selection: Selection): Promise<Selected> {
  const { market, rotation, picks, now, random } = parts;
  const { strategy, alternates, excluded } = selection;
  const filter = strategy === "LEAST_LOADED" ? reachable(selection.filter) : selection.filter;
  const { eligible, counts } = sift(market, filter, excluded);
  if (eligible.length === 0) throw noEligibleAgents(counts);

  const nowMs = now().getTime();
  const circumstances = { eligible, filter, picks, nowMs };
  const choice = await choose(strategy, {
    ...circumstances,
    count: alternates + 1,
    rotation,
    random,
  });
  picks.record(choice.chosen.agentId, nowMs);
  return { ...choice, eligibleCount: eligible.length };
}

/** The refusal when nobody passes; its metadata tell how many were kept out by what. */
export function noEligibleAgents(counts: Readonly<Record<string, number>>): Rejection {
  const { total = 0, ...faults } = counts;
  const parts = Object.entries(faults).map(([fault, count]) => `${count} ${fault}`);
  const why = parts.length === 0 ? "" : `: ${parts.join(", ")}`;
  return new Rejection("NO_ELIGIBLE_AGENTS", `none of ${total} agents passes the filter${why}`, {
    metadata: Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, String(count)]),
    ),
  });
}

const REACHABLE = ["ONLINE", "BUSY", "MAINTENANCE"] as const;

/** An OFFLINE agent has little in flight and is no place to send work to, even if the filter lets it pass. */
function reachable(filter: Filter): Filter {
  const states = filter.states ?? REACHABLE;
  return { ...filter, states: states.filter((state) => state !== "OFFLINE") };
}
