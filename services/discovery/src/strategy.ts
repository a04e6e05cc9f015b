import type { Choice, Choosing, Strategy } from "./choice.ts";
import { byLot } from "./lot.ts";
import { preferred } from "./preference.ts";
import { nextInTurn } from "./turn.ts";

/** Chooses by a strategy; a turn has to be waited for. Undefined says that nobody is eligible (any more). */
export function choose(
  strategy: Strategy,
  choosing: Choosing,
): Choice | undefined | Promise<Choice | undefined> {
  switch (strategy) {
    case "ROUND_ROBIN":
      return nextInTurn(choosing);
    case "RANDOM":
    case "WEIGHTED":
    case "POWER_OF_TWO":
      return byLot(strategy, choosing);
    case "LEAST_LOADED":
    case "CHEAPEST":
    case "BEST":
    case "FASTEST":
      return preferred(strategy, choosing);
  }
}
