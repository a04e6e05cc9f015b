import type { Fault, Filter } from "../filter.ts";
import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import { candidates, type Holders } from "./candidates.ts";
import { Condition } from "./condition.ts";
import type { Slot } from "./ordered-set.ts";
import type { HolderSample } from "./samples.ts";
import { type Faults, sift } from "./sift.ts";

/** Who was kept out by what: `total`, and each reason that applies; `sampled` as many were looked at if not all. */
export type Counts = Record<string, number>;

/** What is counted. */
export interface Counting {
  readonly filter: Filter;
  /** Who counts as such, whatever else keeps them out. */
  readonly excluded: ReadonlySet<Slot>;
  /** What is known already of all agents that have the capabilities. */
  readonly faults: Faults | undefined;
  /** How many of these pass, if that is known. */
  readonly passing: number;
}

/** Counts who is kept out by what, looking at all agents that have the capabilities. */
export function countAll(
  agents: Agents,
  holders: Holders,
  { filter, excluded, faults: known, passing }: Counting,
): { readonly counts: Counts; readonly faults: Faults } {
  const condition = new Condition(agents, filter);
  const faults = known ?? sift(candidates(agents, holders, condition.ability), condition).faults;
  const counts = new Map<Fault | "excluded", number>(faults);
  let able = passing;
  for (const count of counts.values()) able += count;
  for (const slot of excluded) {
    if (!condition.ability.has(slot)) continue;
    const fault = condition.faultOf(slot);
    if (fault !== undefined) counts.set(fault, (counts.get(fault) ?? 0) - 1);
    counts.set("excluded", (counts.get("excluded") ?? 0) + 1);
  }
  condition.release();
  return { faults, counts: told(agents.size, agents.size - able, counts) };
}

/**
 * Estimates the counts where nobody passes, by a look at agents that are evenly spread over those that may have the
 * capabilities.
 */
export function countSome(
  agents: Agents,
  sampleOf: (filter: Filter, ability: Ability) => HolderSample,
  { filter, excluded }: Pick<Counting, "filter" | "excluded">,
): Counts {
  const condition = new Condition(agents, filter);
  const { ability } = condition;
  const { slots, of } = sampleOf(filter, ability);
  const tally = new Map<Fault | "excluded", number>();
  for (const slot of slots) {
    if (slot < 0 || !agents.has(slot) || excluded.has(slot) || !ability.has(slot)) continue;
    const fault = condition.faultOf(slot);
    if (fault !== undefined) tally.set(fault, (tally.get(fault) ?? 0) + 1);
  }
  let [most, all] = [undefined as Fault | "excluded" | undefined, 0];
  for (const [fault, count] of tally) {
    const scaled = Math.round((count * of) / slots.length);
    tally.set(fault, scaled);
    all += scaled;
    if (most === undefined || scaled > (tally.get(most) as number)) most = fault;
  }
  const out = [...excluded].filter((slot) => ability.has(slot)).length;
  // Of one capability it is known how many have it.
  const able = ability.numbers.length < 2 ? of - out : Math.min(all, agents.size - out);
  if (most !== undefined) tally.set(most, (tally.get(most) as number) + able - all);
  tally.set("excluded", out);
  condition.release();
  return { ...told(agents.size, agents.size - able - out, tally), sampled: slots.length };
}

function told(
  total: number,
  missing: number,
  faults: ReadonlyMap<Fault | "excluded", number>,
): Counts {
  const counts: Counts = { total };
  if (missing > 0) counts["missing_capability"] = missing;
  for (const [fault, count] of faults) if (count > 0) counts[fault] = count;
  return counts;
}
