import type { RegisterAgentRequestSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type AgentProfileInit, aProfile } from "../../support/agent.ts";
import { eur, money } from "../../support/money.ts";
import { minutes, seconds } from "../../support/time.ts";
import type { Row } from "./world.ts";

type Registration = Exclude<
  MessageInitShape<typeof RegisterAgentRequestSchema>,
  { readonly $typeName: string }
>;

/** A registration that would pass but for what is said. */
function registering(what: string, field: string, wish: Registration): Row {
  return {
    title: `registering an agent ${what}`,
    call: ({ operator }) =>
      operator.registry.registerAgent({ agentId: "newcomer", profile: aProfile(), ...wish }),
    code: "InvalidArgument",
    reason: "INVALID_REQUEST",
    field,
  };
}

function profiling(what: string, field: string, wish: Partial<AgentProfileInit>): Row {
  return registering(what, `profile.${field}`, { profile: aProfile(wish) });
}

const times = (count: number) => Array.from({ length: count }, (_, index) => index);

/** What a registration must not be. */
export const registrations: readonly Row[] = [
  registering("without an id", "agent_id", { agentId: "" }),
  registering("with a space in its id", "agent_id", { agentId: "two words" }),
  registering("with a line break at the end of its id", "agent_id", { agentId: "agent\n" }),
  registering("with an id of 65 characters", "agent_id", { agentId: "a".repeat(65) }),
  registering("with an id beyond ASCII", "agent_id", { agentId: "kõrge" }),
  registering("with a request_id of spaces", "request_id", { requestId: "   " }),
  registering("in a state that does not exist", "declared_state", { declaredState: 99 as 1 }),
  registering("with a lease of half a second", "lease", { lease: seconds(0.5) }),
  registering("with a negative lease", "lease", { lease: seconds(-60) }),
  {
    title: "registering an agent without a profile",
    call: ({ operator }) => operator.registry.registerAgent({ agentId: "newcomer" }),
    code: "InvalidArgument",
    reason: "INVALID_REQUEST",
    field: "profile",
  },
  profiling("that can do nothing", "capabilities", { capabilities: [] }),
  profiling("with a blank capability", "capabilities[1]", { capabilities: ["a", "  "] }),
  profiling("with 101 capabilities", "capabilities", {
    capabilities: times(101).map((index) => `skill-${index}`),
  }),
  profiling("with a success rate that is no number", "sla.success_rate", {
    sla: { successRate: Number.NaN },
  }),
  profiling("with an infinite success rate", "sla.success_rate", {
    sla: { successRate: Number.POSITIVE_INFINITY },
  }),
  profiling("with a success rate above one", "sla.success_rate", { sla: { successRate: 1.01 } }),
  profiling("with a negative success rate", "sla.success_rate", { sla: { successRate: -0.1 } }),
  profiling("with p95 below p50", "sla", {
    sla: { p50Latency: minutes(9), p95Latency: minutes(5) },
  }),
  profiling("with a latency of nothing", "sla.p50_latency", { sla: { p50Latency: seconds(0) } }),
  profiling("with a latency of two years", "sla.p99_latency", {
    sla: { p99Latency: seconds(2 * 31_536_000) },
  }),
  profiling("with a negative price", "pricing", { pricing: { costPerTask: eur(-1) } }),
  profiling("with a price beyond all bounds", "pricing.cost_per_task.micros", {
    pricing: { costPerTask: { micros: 2n ** 63n - 1n, currencyCode: "EUR" } },
  }),
  profiling("with a price in no currency", "pricing.cost_per_task.currency_code", {
    pricing: { costPerTask: { micros: 1n } },
  }),
  profiling("with a currency in words", "pricing.cost_per_task.currency_code", {
    pricing: { costPerTask: { micros: 1n, currencyCode: "euros" } },
  }),
  profiling("with pricing but no price", "pricing.cost_per_task", { pricing: {} }),
  profiling("with a cost model in two currencies", "cost_model", {
    costModel: { base: eur(1), perMinute: money(1, "USD") },
  }),
  profiling("with a cost model that pays its customers", "cost_model", {
    costModel: { base: eur(-1) },
  }),
  profiling("with a multiplier that is no number", "cost_model.complexity_multiplier", {
    costModel: { base: eur(1), complexityMultiplier: Number.NaN },
  }),
  profiling("without capacity", "capacity_per_hour", { capacityPerHour: 0 }),
  profiling("that works on less than nothing at once", "max_concurrent", { maxConcurrent: -1 }),
  profiling("at an address that is no URI", "endpoint.uri", {
    endpoint: { uri: "not a uri", protocol: "grpc" },
  }),
  profiling("with a protocol in capitals", "endpoint.protocol", {
    endpoint: { uri: "grpc://a.example", protocol: "GRPC!" },
  }),
  profiling("with a description of 4,001 characters", "description", {
    description: "x".repeat(4_001),
  }),
  profiling("with 65 labels", "metadata", {
    metadata: Object.fromEntries(times(65).map((index) => [`label-${index}`, "x"])),
  }),
];
