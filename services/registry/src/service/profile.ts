import {
  type RegistryService,
  UnregisterAgentRequestSchema,
  UnregisterAgentResponseSchema,
  type UpdateAgentRequest,
  UpdateAgentRequestSchema,
  UpdateAgentResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { answerOnce } from "@bourse/service/mutation";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Agent, checkEtag, notFound, type Profile } from "../agent.ts";
import { encodeAgent } from "../codec.ts";
import { lineageOf } from "../lineage.ts";
import { checkProfile, fromProfile, isSameProfile, toProfile } from "../profile.ts";
import { merge, readMask } from "../update-mask.ts";
import type { Parts } from "./parts.ts";

type Updating = Pick<ServiceImpl<typeof RegistryService>, "updateAgent" | "unregisterAgent">;

/** UpdateAgent and UnregisterAgent. */
export function updating(parts: Parts): Updating {
  const { store, availability, now, newId } = parts;

  return {
    async updateAgent(request, ctx) {
      const { agentId } = request;
      const presence = (await availability.read([agentId])).get(agentId);
      if (request.validateOnly) {
        const at = now();
        const before = present((await store.readAgents([agentId])).get(agentId), agentId);
        return { agent: encodeAgent(updated(before, request, at) ?? before, presence, at) };
      }
      const schemas = { input: UpdateAgentRequestSchema, output: UpdateAgentResponseSchema };
      let changed = false;
      const response = await store.write(
        (unit) =>
          answerOnce(unit.tx, ctx, schemas, request, async () => {
            const at = now();
            const before = present((await unit.lockAgents([agentId])).get(agentId), agentId);
            const after = updated(before, request, at);
            changed = after !== undefined;
            if (after === undefined) return { agent: encodeAgent(before, presence, at) };
            await unit.replaceAgents([after]);
            const fields = request.updateMask?.paths ?? [];
            await unit.enqueue([lineageOf("agent_updated", after, at, newId(), { fields })], at);
            return { agent: encodeAgent(after, presence, at) };
          }),
        ctx,
      );
      if (changed) {
        parts.committed();
        const fields = request.updateMask?.paths.join(",") ?? "";
        parts.tell("agent_updated", { agent_id: agentId, fields });
      }
      return response;
    },

    async unregisterAgent(request, ctx) {
      const { agentId } = request;
      const schemas = {
        input: UnregisterAgentRequestSchema,
        output: UnregisterAgentResponseSchema,
      };
      let changed = false;
      const response = await store.write(
        (unit) =>
          answerOnce(unit.tx, ctx, schemas, request, async () => {
            const at = now();
            const before = present((await unit.lockAgents([agentId])).get(agentId), agentId);
            checkEtag(before, request.etag);
            const version = before.version + 1n;
            const after = { ...before, version, updatedAt: at, unregisteredAt: at };
            await unit.updateAgent(after);
            await unit.rankAgents([after], at);
            await unit.enqueue([lineageOf("agent_unregistered", after, at, newId(), {})], at);
            changed = true;
            return { agent: encodeAgent(after, undefined, at) };
          }),
        ctx,
      );
      if (changed) {
        parts.committed();
        parts.tell("agent_unregistered", { agent_id: agentId });
        await availability.forget(agentId);
      }
      return response;
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
