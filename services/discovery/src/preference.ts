import { formatMoney } from "@bourse/scoring";
import { among, type Choice, type Choosing, countOf } from "./choice.ts";
import { first } from "./first.ts";
import type { Agents } from "./market/agents.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View, ViewOrder } from "./market/view.ts";
import { shareOf } from "./slow-start.ts";

/** A strategy that prefers one agent to another. */
export type PreferenceStrategy = "LEAST_LOADED" | "CHEAPEST" | "BEST" | "FASTEST";

/** The order in which a strategy prefers. */
export const PREFERENCES = {
  LEAST_LOADED: "LOAD",
  CHEAPEST: "CHEAPEST",
  BEST: "BEST",
  FASTEST: "FASTEST",
} as const satisfies Record<PreferenceStrategy, ViewOrder>;

/** So many newcomers are passed over at most: where nearly all are new, the first of them is as good as another. */
const PASSED_OVER_MAX = 16;

/** Chooses the one that is preferred to all others; undefined when there is nobody. */
export function preferred(strategy: PreferenceStrategy, choosing: Choosing): Choice | undefined {
  const { view, agents, count, slowStart } = choosing;
  const isSlow = strategy === "LEAST_LOADED" && slowStart !== undefined;
  const slots = first(view.walk(PREFERENCES[strategy]), isSlow ? count + PASSED_OVER_MAX : count);
  const place = isSlow ? Math.max(slots.findIndex(lets(choosing)), 0) : 0;
  const chosen = slots[place];
  if (chosen === undefined) return undefined;
  const passedOver = place === 0 ? "" : `, ${place} newcomers passed over`;
  return {
    chosen,
    alternates: slots.filter((slot) => slot !== chosen).slice(0, count - 1),
    reason: `${strategy}: ${wordsOf(strategy, { agents, view, chosen })}${passedOver}`,
    ...countOf(view),
  };
}

/** Lets a newcomer pass with the chance of its share, and all others always; of the first ones only. */
function lets({ agents, now, random, slowStart }: Choosing) {
  const nowMs = now().getTime();
  return (slot: Slot, place: number): boolean => {
    if (place >= PASSED_OVER_MAX || slowStart === undefined) return false;
    const share = shareOf(agents.createdMs[slot] as number, nowMs, slowStart);
    return share >= 1 || random() < share;
  };
}

interface Told {
  readonly agents: Agents;
  readonly view: View;
  readonly chosen: Slot;
}

function wordsOf(strategy: PreferenceStrategy, { agents, view, chosen }: Told): string {
  switch (strategy) {
    case "LEAST_LOADED": {
      const recent = agents.picks[chosen];
      return `least loaded ${among(view)}: ${agents.loadOf(chosen)} in flight, ${recent} recent picks`;
    }
    case "CHEAPEST":
      return `cheapest ${among(view)}: ${priceWords(agents, chosen, view.currency)}`;
    case "BEST": {
      const sure = (view.ability.ppm(chosen) / 10_000).toFixed(1);
      return `most reliable ${among(view)}: at least ${sure}% of its tasks succeed`;
    }
    case "FASTEST": {
      const p95Ms = agents.p95Ms[chosen] as number;
      const promise = p95Ms === Infinity ? "none promises a latency" : `p95 within ${p95Ms} ms`;
      return `fastest ${among(view)}: ${promise}`;
    }
  }
}

function priceWords(agents: Agents, slot: Slot, currency: string | undefined): string {
  const price = agents.priceOf(slot);
  if (price === undefined || price.currency !== currency) return "none has a list price";
  return `${formatMoney(price.micros, price.currency)} per task`;
}
