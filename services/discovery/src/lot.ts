import { among, type Choice, type Choosing } from "./choice.ts";
import { draw } from "./draw.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";
import { shareOf } from "./slow-start.ts";

/** A strategy that draws lots. */
export type LotStrategy = "RANDOM" | "WEIGHTED" | "POWER_OF_TWO";

const PPM = 1_000_000;

/** Chooses by lot. */
export function byLot(strategy: LotStrategy, choosing: Choosing): Choice {
  const { look, agents, count, random } = choosing;
  const view = look();
  const weigh = weighing(strategy, view, choosing);
  if (strategy !== "POWER_OF_TWO") {
    const [chosen, ...alternates] = draw(view, { count, random, weigh });
    const how = strategy === "RANDOM" ? "each as likely" : "by its reliability";
    const reason = `${strategy}: one ${among(view)}, ${how}${newcomers(choosing)}`;
    return { chosen: chosen as Slot, alternates, reason, eligibleCount: view.size };
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
    eligibleCount: view.size,
  };
}

/** The weight of each agent for a strategy, from 0 to 1; undefined when all weigh the same. */
export function weighing(
  strategy: LotStrategy,
  view: View,
  { agents, nowMs, slowStart }: Pick<Choosing, "agents" | "nowMs" | "slowStart">,
): ((slot: Slot) => number) | undefined {
  const share =
    slowStart === undefined
      ? undefined
      : (slot: Slot) => shareOf(agents.createdMs[slot] as number, nowMs, slowStart);
  if (strategy !== "WEIGHTED") return share;
  if (share === undefined) return (slot) => view.ability.ppm(slot) / PPM;
  return (slot) => (view.ability.ppm(slot) / PPM) * share(slot);
}

function newcomers({ slowStart }: Choosing): string {
  return slowStart === undefined ? "" : ", newcomers less often";
}
