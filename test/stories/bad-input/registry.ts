import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { dial } from "@bourse/rpc";
import { BytesValueSchema } from "@bufbuild/protobuf/wkt";
import { aProfile } from "../../support/agent.ts";
import type { Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const UNKNOWN = { code: "NotFound", reason: "AGENT_NOT_FOUND" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;

/** What the registry must refuse, registrations and reputations apart. */
export const registryRows: readonly Row[] = [
  {
    title: "registering an id that is taken",
    call: ({ operator, worker }) =>
      operator.registry.registerAgent({ agentId: worker.id, profile: aProfile() }),
    code: "AlreadyExists",
    reason: "AGENT_ALREADY_REGISTERED",
  },
  {
    title: "registering another agent",
    call: ({ worker }) =>
      worker.registry.registerAgent({ agentId: "newcomer", profile: aProfile() }),
    ...DENIED,
  },
  {
    title: "registering a batch of none",
    call: ({ operator }) => operator.registry.batchRegisterAgents({ requests: [] }),
    ...INVALID,
    field: "requests",
  },
  {
    title: "registering a batch of 1,001",
    call: ({ operator }) =>
      operator.registry.batchRegisterAgents({
        requests: Array.from({ length: 1_001 }, (_, index) => ({
          agentId: `agent-${index}`,
          profile: { capabilities: ["x"] },
        })),
      }),
    ...INVALID,
    field: "requests",
  },
  {
    title: "registering a batch with one bad agent among good ones",
    call: ({ operator }) =>
      operator.registry.batchRegisterAgents({
        requests: [
          { agentId: "good", profile: aProfile() },
          { agentId: "no good", profile: aProfile() },
        ],
      }),
    ...INVALID,
    field: "requests[1].agent_id",
  },
  {
    title: "registering the same agent twice in a batch",
    call: ({ operator }) =>
      operator.registry.batchRegisterAgents({
        requests: [
          { agentId: "twin", profile: aProfile() },
          { agentId: "twin", profile: aProfile() },
        ],
      }),
    code: "InvalidArgument",
    reason: "DUPLICATE_AGENT_ID",
  },
  {
    title: "registering a batch in which one id is taken",
    call: ({ operator, worker }) =>
      operator.registry.batchRegisterAgents({
        requests: [
          { agentId: "fresh", profile: aProfile() },
          { agentId: worker.id, profile: aProfile() },
        ],
      }),
    code: "AlreadyExists",
    reason: "AGENT_ALREADY_REGISTERED",
  },
  {
    title: "registering a profile of five megabytes",
    call: ({ operator }) =>
      operator.registry.registerAgent({
        agentId: "newcomer",
        profile: aProfile({ description: "x".repeat(5 * 1024 * 1024) }),
      }),
    code: "ResourceExhausted",
    reason: "MESSAGE_TOO_LARGE",
  },
  {
    title: "getting an agent that was never there",
    call: ({ operator }) => operator.registry.getAgent({ agentId: "nobody" }),
    ...UNKNOWN,
  },
  {
    title: "getting an agent by bytes that are no text",
    call: async ({ market }) => {
      const { getAgent } = RegistryService.method;
      const token = await market.market.signer.mint("operator", 60);
      await using channel = dial({
        address: market.market.address("registry"),
        token: () => token,
      });
      const garbled = { ...getAgent, input: BytesValueSchema };
      const value = Uint8Array.of(0xff, 0xfe);
      return await channel.unary(garbled, undefined, undefined, undefined, { value });
    },
    ...INVALID,
  },
  {
    title: "listing agents in pages of minus one",
    call: ({ operator }) => operator.registry.listAgents({ pageSize: -1 }),
    ...INVALID,
    field: "page_size",
  },
  {
    title: "listing agents from a page that never was",
    call: ({ operator }) => operator.registry.listAgents({ pageToken: "bm90IGEgdG9rZW4" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "listing agents with the page token of another filter",
    call: async ({ operator }) => {
      const { nextPageToken } = await operator.registry.listAgents({ pageSize: 1 });
      return operator.registry.listAgents({ pageToken: nextPageToken, capabilities: ["x"] });
    },
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "listing agents in a state that does not exist",
    call: ({ operator }) => operator.registry.listAgents({ declaredState: -7 as 1 }),
    ...INVALID,
    field: "declared_state",
  },
  {
    title: "updating an agent that was never there",
    call: ({ operator }) =>
      operator.registry.updateAgent({
        agentId: "nobody",
        profile: { description: "new" },
        updateMask: { paths: ["description"] },
      }),
    ...UNKNOWN,
  },
  {
    title: "updating an agent without a mask",
    call: ({ worker }) =>
      worker.registry.updateAgent({ agentId: worker.id, profile: { description: "new" } }),
    ...INVALID,
    field: "update_mask",
  },
  {
    title: "updating a field that does not exist",
    call: ({ worker }) =>
      worker.registry.updateAgent({
        agentId: worker.id,
        profile: {},
        updateMask: { paths: ["reputation.score"] },
      }),
    code: "InvalidArgument",
    reason: "UNKNOWN_FIELD",
  },
  {
    title: "updating an agent with a stale etag",
    call: ({ worker }) =>
      worker.registry.updateAgent({
        agentId: worker.id,
        profile: { description: "new" },
        updateMask: { paths: ["description"] },
        etag: "stale",
      }),
    code: "Aborted",
    reason: "ETAG_MISMATCH",
  },
  {
    title: "updating an agent to a profile that breaks a rule",
    call: ({ worker }) =>
      worker.registry.updateAgent({
        agentId: worker.id,
        profile: { sla: { successRate: Number.NaN } },
        updateMask: { paths: ["sla.success_rate"] },
      }),
    code: "InvalidArgument",
    reason: "INVALID_PROFILE",
  },
  {
    title: "updating another agent",
    call: ({ worker, rival }) =>
      worker.registry.updateAgent({
        agentId: rival.id,
        profile: { description: "mine" },
        updateMask: { paths: ["description"] },
      }),
    ...DENIED,
  },
  {
    title: "unregistering an agent that was never there",
    call: ({ operator }) => operator.registry.unregisterAgent({ agentId: "nobody" }),
    ...UNKNOWN,
  },
  {
    title: "unregistering an agent with a stale etag",
    call: ({ worker }) => worker.registry.unregisterAgent({ agentId: worker.id, etag: "stale" }),
    code: "Aborted",
    reason: "ETAG_MISMATCH",
  },
];
