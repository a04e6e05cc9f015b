import type { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { type Agent, AgentSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { Roster } from "@bourse/roster";
import { pageSize } from "@bourse/rpc/page";
import { toBinary } from "@bufbuild/protobuf";
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
        fitting: (page) => page.slice(0, countFitting(agentsOf(page))),
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

/** A page ends early at this size, so that the answer fits into one message. */
const PAGE_BYTES_MAX = 3 * 1024 * 1024;
/** No agent that keeps the rules of its contract is larger. */
const AGENT_BYTES_MAX = 512 * 1024;

/** How many of the first agents fit into an answer, at least one. */
function countFitting(agents: readonly Agent[]): number {
  if (agents.length * AGENT_BYTES_MAX <= PAGE_BYTES_MAX) return agents.length;
  let bytes = 0;
  const end = agents.findIndex((agent, index) => {
    bytes += toBinary(AgentSchema, agent).length;
    return bytes > PAGE_BYTES_MAX && index > 0;
  });
  return end === -1 ? agents.length : end;
}

/** Passes an answer or a refusal on, once it is counted. */
function counted<T>(answer: Promise<T>, onAnswer: () => void, onRefusal: () => void): Promise<T> {
  answer.then(onAnswer, onRefusal);
  return answer;
}
