import type { Roster } from "@bourse/roster";
import { listingOf } from "./codec.ts";
import { Market, type MarketOptions } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";

/** The market as a roster knows it, by the roster's slots. Each change of an agent is read once, as it comes. */
export function marketOf(roster: Roster, options: MarketOptions): Market {
  const market = new Market(options);
  for (const agent of roster.agents()) {
    market.put(roster.slotOf(agent.agentId) as Slot, listingOf(agent));
  }
  roster.subscribe((change) => {
    if (change.kind === "changed") market.put(change.slot, listingOf(change.agent));
    else market.remove(change.slot);
  });
  return market;
}
