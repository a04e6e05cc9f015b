import { Rejection } from "@bourse/rpc/rejection";
import type { Choice } from "./choice.ts";
import { explore } from "./exploration.ts";
import { trialOf } from "./market/half-open.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import { onward } from "./onward.ts";
import { type Pool, type Pooling, poolOf } from "./pool.ts";
import type { Rotation } from "./rotation.ts";
import type { SlowStart } from "./slow-start.ts";
import { choose } from "./strategy.ts";

/** Asks for one agent. */
export interface Selection extends Pooling {
  /** How many others to name. */
  readonly alternates: number;
  readonly slowStart: SlowStart | undefined;
  /** The chance, from 0 to 1, that an agent without a record is picked. */
  readonly explorationShare: number;
}

/** One agent, and whom to try next; `T` is what is read of an agent. */
export interface Selected<T> {
  /** Whom. */
  readonly agentId: string;
  readonly chosen: T;
  readonly alternates: readonly T[];
  /** Why this one, in words. */
  readonly reason: string;
  /** How many there were to choose from, or about how many. */
  readonly eligibleCount: number;
  readonly isEstimate: boolean;
}

/** What selecting needs beside the market. */
export interface SelectionParts<T> {
  readonly market: Market;
  /** Reads an agent at once: later its slot may be another's. */
  readonly read: (slot: Slot) => T;
  readonly rotation: Rotation;
  readonly now: () => Date;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/**
 * Picks one agent and remembers the pick: at once, unless a turn has to be waited for.
 * @throws Rejection NO_ELIGIBLE_AGENTS with the counts of who was kept out by what
 */
export function select<T>(
  parts: SelectionParts<T>,
  selection: Selection,
): Selected<T> | Promise<Selected<T>> {
  const { explorationShare } = selection;
  // Once: whoever has to ask again would explore less often.
  const isExploring = explorationShare > 0 && parts.random() < explorationShare;
  return parts.market.finding(() => selectNow(parts, selection, isExploring));
}

function selectNow<T>(
  parts: SelectionParts<T>,
  selection: Selection,
  isExploring: boolean,
): Selected<T> | Promise<Selected<T>> {
  const pool = poolOf(parts.market, selection);
  if (pool.view.size === 0) throw noEligibleAgents(pool.counts());
  const choice =
    (isExploring ? explored(parts, selection, pool) : undefined) ?? chosen(parts, selection, pool);
  return onward(choice, (made) => picked(parts, selection, pool, made));
}

function picked<T>(
  { market, read }: SelectionParts<T>,
  selection: Selection,
  pool: Pool,
  choice: Choice | undefined,
): Selected<T> {
  if (choice === undefined) throw noEligibleAgents(pool.counts());
  market.picked(choice.chosen);
  return {
    agentId: market.agents.idOf(choice.chosen),
    chosen: read(choice.chosen),
    // Who has to be tried is no one to fall back on.
    alternates: choice.alternates
      .filter((slot) => trialOf(market.agents, slot, selection.filter) === undefined)
      .map(read),
    reason: `${choice.reason}${panicWords(pool)}`,
    eligibleCount: choice.eligibleCount,
    isEstimate: choice.isEstimate,
  };
}

/** Says in a reason that those who are not available are candidates too. */
export function panicWords({ panic }: Pool): string {
  return panic === undefined ? "" : `; PANIC: ${panic}, so all are candidates`;
}

/** The refusal when nobody passes; its metadata tell how many were kept out by what. */
export function noEligibleAgents(counts: Readonly<Record<string, number>>): Rejection {
  const { total = 0, sampled, ...faults } = counts;
  const parts = Object.entries(faults).map(([fault, count]) => `${count} ${fault}`);
  const about = sampled === undefined ? "" : "about ";
  const why = parts.length === 0 ? "" : `: ${about}${parts.join(", ")}`;
  return new Rejection("NO_ELIGIBLE_AGENTS", `none of ${total} agents passes the filter${why}`, {
    metadata: Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, String(count)]),
    ),
  });
}

function explored(
  { random }: Pick<SelectionParts<unknown>, "random">,
  { strategy, alternates }: Selection,
  { whole, view }: Pool,
): Choice | undefined {
  const choice = explore({ whole: whole(), view, count: alternates + 1, random });
  return choice && { ...choice, reason: `${strategy}: ${choice.reason}` };
}

function chosen(
  { market, rotation, now, random }: SelectionParts<unknown>,
  { strategy, alternates, slowStart }: Selection,
  { view, look }: Pool,
): Choice | undefined | Promise<Choice | undefined> {
  return choose(strategy, {
    view,
    look,
    finding: (work) => market.finding(work),
    agents: market.agents,
    count: alternates + 1,
    rotation,
    random,
    now,
    slowStart,
  });
}
