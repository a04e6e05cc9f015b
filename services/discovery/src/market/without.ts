import type { Slot } from "./ordered-set.ts";
import type { View, ViewOrder } from "./view.ts";

/** A view without some agents; those that are not in it anyway do not matter. */
export function without(view: View, slots: readonly Slot[]): View {
  const ranks = slots
    .map((slot) => view.rankOf(slot))
    .filter((rank) => rank !== undefined)
    .sort((a, b) => a - b);
  if (ranks.length === 0) return view;
  const excluded = new Set(slots);
  const countBelow = (rank: number): number => ranks.filter((other) => other < rank).length;
  return {
    key: view.key,
    filter: view.filter,
    ability: view.ability,
    mostPpm: view.mostPpm,
    currency: view.currency,
    size: view.size - ranks.length,
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
    *walk(order: ViewOrder) {
      for (const slot of view.walk(order)) if (!excluded.has(slot)) yield slot;
    },
  };
}
