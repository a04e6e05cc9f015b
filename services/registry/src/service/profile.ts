import {
  type RegistryService,
  UnregisterAgentRequestSchema,
  UnregisterAgentResponseSchema,
  type UpdateAgentRequest,
  UpdateAgentRequestSchema,
  UpdateAgentResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { cancellationOf, encoded } from "@bourse/rpc";
import { contentOf, mutationRequest } from "@bourse/service/mutation";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Agent, checkEtag, notFound, type Profile } from "../agent.ts";
import { agentAnswerBytes } from "../agent-bytes.ts";
import { encodeAgent } from "../codec.ts";
import { lineageOf } from "../lineage.ts";
import { checkProfile, fromProfile, isSameProfile, toProfile } from "../profile.ts";
import { merge, readMask } from "../update-mask.ts";
import type { Parts } from "./parts.ts";

type Updating = Pick<ServiceImpl<typeof RegistryService>, "updateAgent" | "unregisterAgent">;

/** UpdateAgent and UnregisterAgent. */
export function updating(parts: Parts): Updating {
  const { store, mutations, availability, now, newId } = parts;

  return {
    async updateAgent(request, ctx) {
      const { agentId } = request;
      if (request.validateOnly) {
        const presence = (await availability.read([agentId])).get(agentId);
        const at = now();
        const before = present((await store.readAgents([agentId])).get(agentId), agentId);
        return { agent: encodeAgent(updated(before, request, at) ?? before, presence, at) };
      }
      const fields = request.updateMask?.paths ?? [];
      const content = () => contentOf(UpdateAgentRequestSchema, request);
      const { answer, after } = await mutations.submit(
        {
          agentId,
          request: mutationRequest(ctx, { id: request.requestId, content }),
          tellsPresence: true,
          decide({ agent, presence, at }) {
            const before = present(agent, agentId);
            const after = updated(before, request, at);
            const answer = agentAnswerBytes({ agent: after ?? before, presence, now: at });
            if (after === undefined) return { answer };
            return {
              answer,
              after,
              event: lineageOf("agent_updated", after, at, newId(), { fields }),
            };
          },
        },
        { signal: cancellationOf(ctx) },
      );
      if (after !== undefined) {
        parts.committed();
        parts.tell("agent_updated", { agent_id: agentId, fields: fields.join(",") });
      }
      return encoded(UpdateAgentResponseSchema, answer);
    },

    async unregisterAgent(request, ctx) {
      const { agentId } = request;
      const content = () => contentOf(UnregisterAgentRequestSchema, request);
      const { answer, after } = await mutations.submit(
        {
          agentId,
          request: mutationRequest(ctx, { id: request.requestId, content }),
          decide({ agent, at }) {
            const before = present(agent, agentId);
            checkEtag(before, request.etag);
            const version = before.version + 1n;
            const after = { ...before, version, updatedAt: at, unregisteredAt: at };
            return {
              answer: agentAnswerBytes({ agent: after, presence: undefined, now: at }),
              after,
              isRankedAnew: true,
              event: lineageOf("agent_unregistered", after, at, newId(), {}),
            };
          },
        },
        { signal: cancellationOf(ctx) },
      );
      if (after !== undefined) {
        parts.committed();
        parts.tell("agent_unregistered", { agent_id: agentId });
        await availability.forget(agentId);
      }
      return encoded(UnregisterAgentResponseSchema, answer);
    },
  };
}

/** Returns the agent if it is registered. @throws Rejection AGENT_NOT_FOUND */
function present(agent: Agent | undefined, agentId: string): Agent {
  if (agent === undefined || agent.unregisteredAt !== undefined) throw notFound(agentId);
  return agent;
}

/** The agent with the update made; undefined when it changes nothing. */
function updated(before: Agent, request: UpdateAgentRequest, at: Date): Agent<Profile> | undefined {
  const mask = readMask(request.updateMask?.paths ?? []);
  checkEtag(before, request.etag);
  const merged = merge(fromProfile(before.profile), request.profile, mask);
  checkProfile(merged);
  const profile = toProfile(merged);
  if (isSameProfile(profile, before.profile)) return undefined;
  return { ...before, profile, version: before.version + 1n, updatedAt: at };
}
