import type { Agents } from "./agents.ts";
import type { ResidualView } from "./residual-view.ts";
import { SiftedView } from "./sifted-view.ts";
import type { ViewOrder } from "./view.ts";

/** Where fewer of a sample pass, few may pass at all. */
const RARE = 4;
/** So many agents within a bound are all looked at. */
const WITHIN_MAX = 2_048;
/** The orders in which bounds end: price, reliability, latency. */
const BOUND_ORDERS = ["COST", "RELIABILITY", "FASTEST"] as const satisfies readonly ViewOrder[];

/**
 * All that pass, exactly, where few are within one of the bounds of a filter: these stand in front in an order of the
 * base. Undefined when it is not so.
 */
export function narrow(view: ResidualView, agents: Agents): SiftedView | undefined {
  if (view.sampled.passing >= RARE) return undefined;
  const { base, residue } = view;
  let [narrowest, least] = [undefined as ViewOrder | undefined, WITHIN_MAX + 1];
  for (const order of BOUND_ORDERS) {
    const isEnd = residue.endOf(order);
    const count = isEnd && base.countFirst(order, (slot) => !isEnd(slot));
    if (count === undefined || count >= least) continue;
    narrowest = order;
    least = count;
  }
  if (narrowest === undefined) return undefined;
  const ranking = base.in(narrowest);
  const within = Array.from({ length: least }, (_, rank) => ranking.at(rank));
  const { labels } = agents.order;
  const eligible = Int32Array.from(within.filter((slot) => view.lets(slot)));
  eligible.sort((a, b) => (labels[a] as number) - (labels[b] as number));
  return new SiftedView(view, agents, view.ability, eligible);
}
