import { among, type Choice, type Choosing, countOf } from "./choice.ts";
import { draw } from "./draw.ts";
import type { Agents } from "./market/agents.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";
import { type SlowStart, shareOf } from "./slow-start.ts";

/** A strategy that draws lots. */
export type LotStrategy = "RANDOM" | "WEIGHTED" | "POWER_OF_TWO";

/** Chooses by lot. */
export function byLot(strategy: LotStrategy, choosing: Choosing): Choice {
  const { view, agents, count, random } = choosing;
  const weigh = weighing(strategy, view, choosing);
  if (strategy !== "POWER_OF_TWO") {
    const [chosen, ...alternates] = draw(view, { count, random, weigh });
    const how = strategy === "RANDOM" ? "each as likely" : "by its reliability";
    const reason = `${strategy}: one ${among(view)}, ${how}${newcomers(choosing)}`;
    return { chosen: chosen as Slot, alternates, reason, ...countOf(view) };
  }
  const [first, second, ...others] = draw(view, { count: Math.max(count, 2), random, weigh });
  const pair = [first, second].filter((slot) => slot !== undefined);
  // Among equals the first one drawn, so that each is as likely.
  const [chosen, ...alternates] = pair.sort((a, b) => agents.loadOf(a) - agents.loadOf(b));
  const load = `${agents.loadOf(chosen as Slot)} in flight`;
  return {
    chosen: chosen as Slot,
    alternates: [...alternates, ...others].slice(0, count - 1),
    reason: `POWER_OF_TWO: the less loaded of two ${among(view)}: ${load}${newcomers(choosing)}`,
    ...countOf(view),
  };
}

/**
 * The weight of each agent for a strategy, from 0 to 1; undefined when all weigh the same. The surest weigh 1 as far as
 * the view can tell: the lighter all are, the more are drawn in vain.
 */
export function weighing(
  strategy: LotStrategy,
  view: View,
  { agents, now, slowStart }: Pick<Choosing, "agents" | "now" | "slowStart">,
): ((slot: Slot) => number) | undefined {
  const share = slowStart && sharesOf(agents, now().getTime(), slowStart);
  if (strategy !== "WEIGHTED") return share;
  const { ability, mostPpm } = view;
  if (share === undefined) return (slot) => ability.ppm(slot) / mostPpm;
  return (slot) => (ability.ppm(slot) / mostPpm) * share(slot);
}

function sharesOf(agents: Agents, nowMs: number, slowStart: SlowStart) {
  return (slot: Slot) => shareOf(agents.createdMs[slot] as number, nowMs, slowStart);
}

function newcomers({ slowStart }: Choosing): string {
  return slowStart === undefined ? "" : ", newcomers less often";
}
