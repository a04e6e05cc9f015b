import type { Filter } from "../filter.ts";
import type { Ability } from "./ability.ts";
import type { Slot } from "./ordered-set.ts";
import type { Lots, RankedView, Ranking, ViewOrder, WholeView } from "./view.ts";

/** What views of all that pass have in common. */
export abstract class Whole implements WholeView {
  abstract readonly key: string;
  abstract readonly filter: Filter;
  abstract readonly ability: Ability;
  abstract readonly mostPpm: number;
  abstract readonly size: number;
  abstract readonly currency: string | undefined;
  readonly isEstimate = false;
  readonly wanted = undefined;

  get ranks(): Lots {
    return this;
  }

  abstract at(rank: number): Slot;
  abstract rankAfter(agentId: string): number;
  abstract rankOf(slot: Slot): number | undefined;
  abstract has(slot: Slot): boolean;
  abstract in(order: ViewOrder): Ranking;
  abstract standing(order: ViewOrder): (a: Slot, b: Slot) => number;
  abstract unproven(): Lots;

  any(random: () => number, drawn: readonly Slot[]): Slot {
    return anyOf(this, random, drawn);
  }

  turnsAfter(agentId: string, count: number): Slot[] {
    return ringAfter(this, agentId, count);
  }

  walk(order: ViewOrder, isBefore?: (slot: Slot) => boolean): Iterable<Slot> {
    const ranking = this.in(order);
    return ranking.walk(isBefore === undefined ? 0 : ranking.lowerBound(isBefore));
  }

  without(slots: readonly Slot[]): RankedView {
    return rankedWithout(this, slots);
  }
}

/** Draws one that is none of these; there must be one. */
export function anyOf(lots: Lots, random: () => number, drawn: readonly Slot[]): Slot {
  for (;;) {
    const slot = lots.at(Math.floor(random() * lots.size));
    if (!drawn.includes(slot)) return slot;
  }
}

/** At most so many agents that come after an id in the ring of ids, each once. */
function ringAfter(view: RankedView, agentId: string, count: number): Slot[] {
  const { size } = view;
  const after = size === 0 ? 0 : view.rankAfter(agentId);
  return Array.from({ length: Math.min(count, size) }, (_, nth) => view.at((after + nth) % size));
}

/** A view without some agents. */
function rankedWithout(view: RankedView, slots: readonly Slot[]): RankedView {
  const ranks = slots
    .map((slot) => view.rankOf(slot))
    .filter((rank) => rank !== undefined)
    .sort((a, b) => a - b);
  if (ranks.length === 0) return view;
  const excluded = new Set(slots);
  const countBelow = (rank: number): number => ranks.filter((other) => other < rank).length;
  const left: RankedView = {
    key: view.key,
    filter: view.filter,
    ability: view.ability,
    mostPpm: view.mostPpm,
    currency: view.currency,
    size: view.size - ranks.length,
    isEstimate: false,
    wanted: undefined,
    get ranks() {
      return left;
    },
    at(rank) {
      let shifted = rank;
      for (const other of ranks) if (other <= shifted) shifted += 1;
      return view.at(shifted);
    },
    rankAfter(agentId) {
      const rank = view.rankAfter(agentId);
      return rank - countBelow(rank);
    },
    rankOf(slot) {
      const rank = excluded.has(slot) ? undefined : view.rankOf(slot);
      return rank === undefined ? undefined : rank - countBelow(rank);
    },
    has: (slot) => !excluded.has(slot) && view.has(slot),
    any: (random, drawn) => anyOf(left, random, drawn),
    turnsAfter: (agentId, count) => ringAfter(left, agentId, count),
    *walk(order: ViewOrder, isBefore) {
      for (const slot of view.walk(order, isBefore)) if (!excluded.has(slot)) yield slot;
    },
    unproven: () => view.unproven(),
    without: (others) => rankedWithout(left, others),
  };
  return left;
}
