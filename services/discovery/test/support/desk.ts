import { explain } from "../../src/explanation.ts";
import type { Listing } from "../../src/listing.ts";
import { createMemoryRotation } from "../../src/memory.ts";
import { type Selection, select } from "../../src/selection.ts";
import { aFilter, type Looking, openMarket } from "./listing.ts";

/** Asks for one ONLINE or other agent that can do `python`, by turns. */
export function aSelection(facts: Partial<Selection> = {}): Selection {
  return {
    filter: aFilter({ capabilities: ["python"] }),
    strategy: "ROUND_ROBIN",
    alternates: 0,
    excluded: new Set(),
    slowStart: undefined,
    panicThreshold: 0,
    explorationShare: 0,
    ...facts,
  };
}

/** Selects over a market that may change from one selection to the next; agents are read as their listings. */
export function aDesk(random: () => number = () => 0, looking: Looking = "kept") {
  const { clock, market, settle } = openMarket(looking);
  const now = () => new Date(clock.nowMs);
  const parts = { market, rotation: createMemoryRotation(), random, now };
  const reading = (listings: readonly Listing[]) => (slot: number) =>
    listings.find(({ agentId }) => agentId === market.agents.idOf(slot)) as Listing;
  return {
    clock,
    async select(listings: readonly Listing[], facts: Partial<Selection> = {}) {
      settle(listings);
      return await select({ ...parts, read: reading(listings) }, aSelection(facts));
    },
    async explain(listings: readonly Listing[], facts: Partial<Selection> = {}, count = 10) {
      settle(listings);
      const explanation = await explain(
        { ...parts, read: reading(listings) },
        aSelection(facts),
        count,
      );
      return {
        ...explanation,
        candidates: explanation.candidates.map(({ agent, ...rest }) => {
          return { agentId: agent.agentId, ...rest };
        }),
      };
    },
    /** How often each agent is picked, by id. */
    async count(listings: readonly Listing[], facts: Partial<Selection>, times: number) {
      settle(listings);
      const counts = new Map(listings.map(({ agentId }) => [agentId, 0]));
      for (let nth = 0; nth < times; nth += 1) {
        const { agentId } = await select({ ...parts, read: () => undefined }, aSelection(facts));
        counts.set(agentId, (counts.get(agentId) ?? 0) + 1);
      }
      return Object.fromEntries(counts);
    },
  };
}
