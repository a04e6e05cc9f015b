import { trialOf } from "./market/half-open.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { Lots, ViewOrder, WholeView } from "./market/view.ts";

/** Which agents of a view are named, and in which order. */
export interface Lineup {
  /** The best first; undefined: all are equally good. */
  readonly order: ViewOrder | undefined;
  /** How many at most. */
  readonly count: number;
  /** Among equals the first is the one whose id comes after this one, and the ring of ids goes on from there. */
  readonly start: string;
}

/** Of more equals than this, the first by id share the calls: to put all in order would cost more than it is worth. */
const EQUALS_MAX = 1_024;

/**
 * The agents that are named, but none whose breaker is half open. Those that are equally good stand in a ring by id:
 * with starts of their own callers share them, and whoever comes or goes elsewhere in the ring concerns nobody.
 */
export function lineUp(market: Market, view: WholeView, lineup: Lineup): Slot[] {
  const { order, count, start } = lineup;
  const { agents } = market;
  const named: Slot[] = [];
  const name = (slot: Slot): boolean => {
    const isTried = agents.breakers.size > 0 && trialOf(agents, slot, view.filter) !== undefined;
    if (!isTried) named.push(slot);
    return named.length === count;
  };
  if (order === undefined) {
    const rank = view.rankAfter(start);
    for (let nth = 0; nth < view.size; nth += 1) {
      if (name(view.at((rank + nth) % view.size))) break;
    }
    return named;
  }
  const ranking = view.in(order);
  const compare = view.standing(order);
  for (let from = 0; from < ranking.size; ) {
    const best = ranking.at(from);
    const end = endOf(ranking, from, (slot) => compare(slot, best) === 0);
    const first = endOf(ranking, from - 1, (slot) => agents.idOf(slot) <= start, end);
    for (let nth = 0; nth < end - from; nth += 1) {
      if (name(ranking.at(from + ((first - from + nth) % (end - from))))) return named;
    }
    from = end;
  }
  return named;
}

/** The first rank after `from` and before `most` for which this does not hold; it holds for none behind that. */
function endOf(
  ranking: Lots,
  from: number,
  holds: (slot: Slot) => boolean,
  most = Math.min(ranking.size, from + EQUALS_MAX),
): number {
  let low = from + 1;
  let high = most;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(ranking.at(middle))) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether the same agents are named in the same order. */
export function isSameLineup(some: readonly Slot[], others: readonly Slot[]): boolean {
  return some.length === others.length && some.every((slot, nth) => slot === others[nth]);
}
