import type { Roster } from "@bourse/roster";
import { Market, type MarketOptions } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import { listingOf } from "./reading.ts";

/** The market as a roster knows it, by the roster's slots. Each change of an agent is read once, as it comes. */
export function marketOf(roster: Roster, options: MarketOptions): Market {
  const market = new Market(options);
  const put = (slot: Slot, agentId: string, message: string): void => {
    market.put(slot, listingOf(agentId, message, roster.leaseEndMs(slot)));
  };
  const settle = (): void => {
    const sinceMs = roster.staleSinceMs();
    if (sinceMs === undefined) market.release(roster.leaseEndMs);
    else market.hold(sinceMs);
  };
  if (roster.staleSinceMs() !== undefined) settle();
  for (const { agentId } of roster.agents()) {
    const slot = roster.slotOf(agentId) as Slot;
    put(slot, agentId, roster.messageAt(slot));
  }
  roster.subscribe((change) => {
    if (change.kind === "removed") market.remove(change.slot);
    else put(change.slot, change.agentId, change.message);
  });
  roster.subscribeStale(settle);
  return market;
}
