import type { Roster } from "@bourse/roster";
import { Market, type MarketOptions } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import { listingOf } from "./reading.ts";

/** The market as a roster knows it, by the roster's slots. Each change of an agent is read once, as it comes. */
export function marketOf(roster: Roster, options: MarketOptions): Market {
  const market = new Market(options);
  for (const { agentId } of roster.agents()) {
    const slot = roster.slotOf(agentId) as Slot;
    market.put(slot, listingOf(agentId, roster.messageAt(slot)));
  }
  roster.subscribe((change) => {
    if (change.kind === "removed") market.remove(change.slot);
    else market.put(change.slot, listingOf(change.agentId, change.message));
  });
  return market;
}
