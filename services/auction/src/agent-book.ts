import type { Agent } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { permanent } from "@bourse/service/lineage";
import type { CallOptions, Client } from "@connectrpc/connect";
import type { AutomaticBidder } from "./automatic-bid.ts";
import type { Bidder } from "./bid.ts";
import { readBidder } from "./codec/agent.ts";

/** The part of a roster that the book reads. */
export interface AgentSource {
  get(agentId: string): Agent | undefined;
  withCapability(capability: string): Iterable<Agent>;
  isReady(): boolean;
}

/** What the market knows of agents. */
export interface AgentBook {
  /** @throws Rejection ROSTER_NOT_READY */
  requireReady(): void;
  /** As the local copy has it, which may be a moment old. */
  get(agentId: string): Bidder | undefined;
  /**
   * As the registry has it. Ask before an agent is refused for what the copy says of it: it may
   * have come just now.
   * @throws Rejection REGISTRY_UNAVAILABLE
   */
  ask(agentId: string, call?: CallOptions): Promise<Bidder | undefined>;
  /** Agents with all of these capabilities that asked the market to bid for them. */
  automatic(capabilities: readonly string[]): Iterable<AutomaticBidder>;
}

/** The capabilities for which the market bids on behalf of an agent: only under these the book looks for it. */
export function autoBidFor({ profile }: Agent): readonly string[] {
  return profile?.autoBid === true ? profile.capabilities : [];
}

/** Opens the book over a roster and the registry. */
export function createAgentBook(
  roster: AgentSource,
  registry: Pick<Client<typeof RegistryService>, "getAgent">,
): AgentBook {
  return {
    requireReady() {
      if (roster.isReady()) return;
      throw new Rejection("ROSTER_NOT_READY", "the market has not learnt yet who its agents are", {
        retryAfterMs: 500,
      });
    },
    get(agentId) {
      const agent = roster.get(agentId);
      return agent && readBidder(agent, []);
    },
    async ask(agentId, call = {}) {
      try {
        const { agent } = await registry.getAgent({ agentId }, call);
        return agent && readBidder(agent, []);
      } catch (error) {
        if (reasonOf(error) === "AGENT_NOT_FOUND") return undefined;
        if (permanent(error)) throw error;
        const message = `the registry does not answer for agent ${agentId}`;
        throw new Rejection("REGISTRY_UNAVAILABLE", message, { retryAfterMs: 1_000 });
      }
    },
    *automatic(capabilities) {
      const [first = "", ...others] = capabilities;
      for (const agent of roster.withCapability(first)) {
        const { autoBid = false, capabilities: own = [] } = agent.profile ?? {};
        if (!autoBid || !others.every((name) => own.includes(name))) continue;
        const bidder = readBidder(agent, capabilities);
        if (bidder !== undefined) yield bidder;
      }
    },
  };
}
