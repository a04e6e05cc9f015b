import {
  type AgentProfile,
  AgentProfileSchema,
  EndpointSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  type ImportAgentCardRequest,
  ImportAgentCardRequestSchema,
  ImportAgentCardResponseSchema,
} from "@bourse/proto/bourse/registry/v1/card_pb.ts";
import type { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { Rejection } from "@bourse/rpc/rejection";
import { answerOnce } from "@bourse/service/mutation";
import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { canonicalJson } from "../a2a/canonical.ts";
import { type AgentCard, parseCard, readCard, writeCard } from "../a2a/card.ts";
import { checkSignatures } from "../a2a/signature.ts";
import { type Agent, etagOf, notFound, type Registration, refuseTaken } from "../agent.ts";
import { type Ruling, rule } from "../bulk.ts";
import { encodeAgent } from "../codec.ts";
import { refuseErased } from "../erasure.ts";
import { checkProfile, fromProfile, toProfile } from "../profile.ts";
import type { Reason } from "../reasons.ts";
import { announce, presenceAfter, type Registered, write } from "./entry.ts";
import type { Parts } from "./parts.ts";

type Cards = Pick<ServiceImpl<typeof RegistryService>, "importAgentCard" | "exportAgentCard">;

/** ImportAgentCard and ExportAgentCard: agents as A2A describes them. */
export function carding(parts: Parts): Cards {
  const { store, availability, breakers, now } = parts;

  async function importAgentCard(request: ImportAgentCardRequest, ctx: HandlerContext) {
    const { agentId } = request;
    const json = parseCard(request.cardJson);
    const card = readCard(json);
    const signatures = await checkSignatures(json, request.jwksJson, request.requireSignature);
    const presences = await availability.read([agentId]);
    const answer = (before: Agent | undefined, ruling: Ruling, at: Date) => {
      const after = ruling.kind === "entered" ? ruling : undefined;
      const presence =
        after === undefined ? presences.get(agentId) : presenceAfter(after, presences, at);
      const agent = after?.agent ?? before;
      return {
        agent: agent && encodeAgent(agent, presence, at, breakers.known(agentId)),
        changes: changesOf(before, after?.agent),
        signatures: [...signatures],
        ignoredMembers: [...card.ignored],
      };
    };
    if (request.validateOnly) {
      const before = (await store.readAgents([agentId])).get(agentId);
      const at = now();
      return answer(
        before,
        decide(request, card, before, await store.readErased([agentId]), at),
        at,
      );
    }
    const schemas = { input: ImportAgentCardRequestSchema, output: ImportAgentCardResponseSchema };
    let done: readonly Registered[] = [];
    const response = await store.write(
      (unit) =>
        answerOnce(unit.tx, ctx, schemas, request, async () => {
          const at = now();
          const before = (await unit.lockAgents([agentId])).get(agentId);
          const ruling = decide(request, card, before, await unit.readErased([agentId]), at);
          done = ruling.kind === "entered" ? [ruling] : [];
          await write(parts, unit, done, at);
          return answer(before, ruling, at);
        }),
      ctx,
    );
    await announce(parts, done);
    return response;
  }

  return {
    importAgentCard,

    async exportAgentCard({ agentId }) {
      const agent = (await store.readAgents([agentId])).get(agentId);
      if (agent === undefined || agent.unregisteredAt !== undefined) throw notFound(agentId);
      const { endpoint, ...profile } = fromProfile(agent.profile);
      if (endpoint === undefined) throw withoutEndpoint(agentId);
      const subject = { ...profile, agentId, endpoint, etag: etagOf(agent) };
      return { cardJson: canonicalJson(writeCard(subject)) };
    },
  };
}

/** @throws Rejection AGENT_ERASED, AGENT_ALREADY_REGISTERED, INVALID_PROFILE */
function decide(
  { agentId, replaceExisting }: ImportAgentCardRequest,
  card: AgentCard,
  before: Agent | undefined,
  erased: ReadonlySet<string>,
  at: Date,
): Ruling {
  refuseErased([agentId], erased, () => "agent_id");
  const message = withCard(before, card);
  checkProfile(message);
  const record = {
    agentId,
    profile: toProfile(message),
    declaredState: undefined,
    leaseMs: undefined,
  };
  const ruling = rule(record, { before, isErased: false, replaceExisting, now: at });
  if (ruling.kind === "refused" && before !== undefined) {
    const asked = { ...record, replaceExisting } as unknown as Registration;
    refuseTaken([asked], new Map([[agentId, before]]));
  }
  return ruling;
}

/** The stored profile with what the card says; labels of an earlier card are gone. */
function withCard(before: Agent | undefined, card: AgentCard): AgentProfile {
  const stored = before === undefined ? create(AgentProfileSchema) : fromProfile(before.profile);
  const own = Object.entries(stored.metadata).filter(([name]) => !name.startsWith("a2a."));
  return create(AgentProfileSchema, {
    ...stored,
    displayName: card.name,
    description: card.description,
    endpoint: create(EndpointSchema, card.endpoint),
    capabilities: [...card.capabilities],
    metadata: { ...Object.fromEntries(own), ...card.labels },
  });
}

type Change = MessageInitShape<typeof ImportAgentCardResponseSchema>["changes"];

function changesOf(before: Agent | undefined, after: Agent | undefined): NonNullable<Change> {
  if (after === undefined) return [];
  const [was, is] = [before, after].map((agent) => (agent === undefined ? {} : told(agent)));
  const names = [...new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])].sort();
  return names.flatMap((field) => {
    const [beforeJson = "", afterJson = ""] = [was?.[field], is?.[field]];
    return beforeJson === afterJson ? [] : [{ field, beforeJson, afterJson }];
  });
}

function told(agent: Agent): Record<string, string> {
  const json = toJson(AgentProfileSchema, fromProfile(agent.profile), { useProtoFieldName: true });
  const members = Object.entries(json as object);
  return Object.fromEntries(members.map(([name, value]) => [name, canonicalJson(value)]));
}

function withoutEndpoint(agentId: string): Rejection {
  const reason: Reason = "AGENT_WITHOUT_ENDPOINT";
  return new Rejection(reason, `agent '${agentId}' has no endpoint, which a card must name`, {
    metadata: { agent_id: agentId },
  });
}
