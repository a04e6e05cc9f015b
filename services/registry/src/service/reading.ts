import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { decodePageToken, encodePageToken, pageSize } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Agent, notFound } from "../agent.ts";
import { normalizeCapabilities } from "../capability.ts";
import { decodeState, encodeAgent } from "../codec.ts";
import type { Reason } from "../reasons.ts";
import type { Parts } from "./parts.ts";

type Reading = Pick<
  ServiceImpl<typeof RegistryService>,
  "getAgent" | "batchGetAgents" | "listAgents" | "summarizeCapabilities"
>;

/** A page ends early when its profiles have this many bytes, so that the answer fits into one message. */
const PAGE_BYTES_MAX = 2 * 1024 * 1024;

/** The calls that change nothing and end. */
export function reading({ store, availability, breakers, now }: Parts): Reading {
  async function encodeAll(agents: readonly Agent[]) {
    const presences = await availability.read(agents.map((agent) => agent.id));
    const at = now();
    return agents.map((agent) =>
      encodeAgent(agent, presences.get(agent.id), at, breakers.known(agent.id)),
    );
  }

  return {
    async getAgent({ agentId, includeUnregistered }) {
      const agent = (await store.readAgents([agentId])).get(agentId);
      const isHidden = agent?.unregisteredAt !== undefined && !includeUnregistered;
      if (agent === undefined || isHidden) throw notFound(agentId);
      const [message] = await encodeAll([agent]);
      return { agent: message };
    },

    async batchGetAgents({ agentIds }) {
      const known = await store.readAgents([...new Set(agentIds)]);
      const found = agentIds.flatMap((agentId) => {
        const agent = known.get(agentId);
        return agent === undefined || agent.unregisteredAt !== undefined ? [] : [agent];
      });
      const there = new Set(found.map((agent) => agent.id));
      const missingAgentIds = [...new Set(agentIds)].filter((agentId) => !there.has(agentId));
      return { agents: await encodeAll(found), missingAgentIds };
    },

    async listAgents(request) {
      const filter = {
        capabilities: normalizeCapabilities(request.capabilities),
        declaredState: decodeState(request.declaredState),
        metadata: Object.fromEntries(Object.entries(request.metadata).sort(byName)),
        includeUnregistered: request.includeUnregistered,
      };
      const [after = ""] = decodePageToken(filter, request.pageToken, 1) ?? [];
      if (!PLACE.test(after)) throw invalidPageToken();
      const size = pageSize(request.pageSize);
      const read = await store.listAgents(filter, after, size + 1);
      const page = fitting(read.slice(0, size));
      const last = page.at(-1);
      const isLast = page.length === read.length || last === undefined;
      return {
        agents: await encodeAll(page),
        nextPageToken: isLast ? "" : encodePageToken(filter, [last.id]),
      };
    },

    async summarizeCapabilities() {
      const { capabilities, total } = await store.countCapabilities();
      return {
        capabilities: capabilities.map(({ capability, agents }) => ({ capability, agents })),
        totalAgents: total,
      };
    },
  };
}

/** The ids after which a page may begin. */
const PLACE = /^[A-Za-z0-9_-]{0,64}$/;

function invalidPageToken(): Rejection {
  const reason: Reason = "INVALID_PAGE_TOKEN";
  return new Rejection(reason, "page_token is not one of this list's: start again without one");
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

/** The first agents whose profiles fit together into a message, at least one. */
function fitting(agents: readonly Agent[]): readonly Agent[] {
  let bytes = 0;
  const end = agents.findIndex((agent, index) => {
    bytes += agent.profile.encoded.length;
    return bytes > PAGE_BYTES_MAX && index > 0;
  });
  return end === -1 ? agents : agents.slice(0, end);
}
