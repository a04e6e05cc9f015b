import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { Roster } from "@bourse/roster";
import { listingOf } from "./codec.ts";
import type { Listing } from "./listing.ts";
import type { Market } from "./market.ts";

/** The market as a roster knows it. An agent is read once for each of its changes, when it is first looked at. */
export function marketOf(roster: Roster): Market {
  const listings = new WeakMap<Agent, Listing>();

  function read(agent: Agent): Listing {
    const known = listings.get(agent);
    if (known !== undefined) return known;
    const listing = listingOf(agent);
    listings.set(agent, listing);
    return listing;
  }

  function* readAll(agents: Iterable<Agent>): Generator<Listing, void, undefined> {
    for (const agent of agents) yield read(agent);
  }

  return {
    get size() {
      return roster.size;
    },
    all: () => readAll(roster.agents()),
    holders: (capability) => readAll(roster.withCapability(capability)),
    countOf: roster.countOf,
    capabilities: roster.capabilities,
  };
}
