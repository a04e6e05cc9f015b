import type { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import type { Roster } from "@bourse/roster";
import { pageSize } from "@bourse/rpc/page";
import type { ServiceImpl } from "@connectrpc/connect";
import { candidateOf, capabilityOf, filterOf, orderOf, strategyOf } from "./codec.ts";
import type { Listing } from "./listing.ts";
import type { DiscoveryMetrics } from "./metrics.ts";
import type { Picks } from "./picks.ts";
import { recommend } from "./recommendation.ts";
import { marketOf } from "./roster.ts";
import type { Rotation } from "./rotation.ts";
import { search } from "./search.ts";
import { select } from "./selection.ts";
import { summarize } from "./summary.ts";

/** What the service is made of. */
export interface DiscoveryParts {
  readonly roster: Roster;
  readonly rotation: Rotation;
  readonly picks: Picks;
  readonly metrics: DiscoveryMetrics;
  readonly now: () => Date;
  /** From 0 to below 1. */
  readonly random: () => number;
}

const PAGE_SIZE = 20;
const RECOMMENDED = 3;

/** Answers who should do this. */
export function discoveryService(parts: DiscoveryParts): ServiceImpl<typeof DiscoveryService> {
  const { roster, metrics } = parts;
  const market = marketOf(roster);
  const agentsOf = (listings: readonly Listing[]) =>
    listings.flatMap(({ agentId }) => roster.get(agentId) ?? []);

  return {
    searchAgents(request) {
      const order = orderOf(request.orderBy);
      const { listings, nextPageToken, total } = search(market, {
        filter: filterOf(request.filter, undefined),
        order,
        pageSize: pageSize(request.pageSize, PAGE_SIZE),
        pageToken: request.pageToken,
      });
      metrics.searched(order, total);
      return { agents: agentsOf(listings), nextPageToken, totalSize: BigInt(total) };
    },

    async recommendAgents({ capability, count, includeBusy }) {
      const asked = {
        capability: capabilityOf(capability),
        count: count === 0 ? RECOMMENDED : count,
        includeBusy,
      };
      const listings = await counted(
        recommend({ ...parts, market }, asked),
        () => metrics.recommended("named"),
        () => metrics.recommended("nobody"),
      );
      return { agents: agentsOf(listings) };
    },

    async selectAgent(request) {
      const strategy = strategyOf(request.strategy);
      const asked = {
        filter: filterOf(request.filter, ["ONLINE"]),
        strategy,
        alternates: request.alternates,
        excluded: new Set(request.excludeAgentIds),
      };
      const { chosen, alternates, reason, eligibleCount } = await counted(
        select({ ...parts, market }, asked),
        () => metrics.selected(strategy, "picked"),
        () => metrics.selected(strategy, "nobody"),
      );
      return {
        agent: candidateOf(chosen),
        alternates: alternates.map(candidateOf),
        reason,
        eligibleAgents: eligibleCount,
      };
    },

    summarizeCapabilities() {
      const capabilities = summarize(market).map(({ capability, agents, online }) => ({
        capability,
        agents: BigInt(agents),
        onlineAgents: BigInt(online),
      }));
      return { capabilities, totalAgents: BigInt(market.size) };
    },
  };
}

/** Passes an answer or a refusal on, once it is counted. */
function counted<T>(answer: Promise<T>, onAnswer: () => void, onRefusal: () => void): Promise<T> {
  answer.then(onAnswer, onRefusal);
  return answer;
}
