import { randomUUID } from "node:crypto";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { type AgentSchema, AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  RegistryService,
  TakeProbeResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { createRoster } from "@bourse/roster";
import { startRegistry } from "@bourse/roster/testing";
import { ANONYMOUS, bind, client, dial, serve } from "@bourse/rpc";
import { createMetrics } from "@bourse/telemetry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { LIMITS, type ViewLimits } from "../../src/market/view-limits.ts";
import { createMemoryRotation } from "../../src/memory.ts";
import { discoveryMetrics } from "../../src/metrics.ts";
import { CODES } from "../../src/rejections.ts";
import { marketOf } from "../../src/roster.ts";
import type { Rotation } from "../../src/rotation.ts";
import { discoveryService } from "../../src/service.ts";

/** When the tests take place. */
export const NOON = new Date("2026-11-01T12:00:00Z");

/** A registry that streams to rosters. */
export type Registry = ReturnType<typeof startRegistry>;

/** Serves discovery over a socket, on the copy of a registry. */
export async function openDiscovery(
  registry: Registry,
  facts: {
    rotation?: Rotation;
    now?: () => Date;
    random?: () => number;
    limits?: Partial<ViewLimits>;
    /** Whether the registry lets an agent be tried; it does unless told. */
    probe?: (agentId: string) => boolean;
  } = {},
) {
  const now = facts.now ?? (() => NOON);
  const roster = createRoster({ channel: registry.channel, now, listed: false });
  const limits = { ...LIMITS, ...facts.limits };
  const market = marketOf(roster, { now, limits });
  await roster.ready;
  const metrics = createMetrics({ service: "discovery" });
  const impl = discoveryService({
    roster,
    market,
    rotation: facts.rotation ?? createMemoryRotation(),
    metrics: discoveryMetrics(metrics, roster),
    registry: {
      ...client(RegistryService, registry.channel),
      takeProbe: async ({ agentId = "" }) => {
        return create(TakeProbeResponseSchema, { granted: facts.probe?.(agentId) ?? true });
      },
    },
    newId: randomUUID,
    now,
    random: facts.random ?? (() => 0),
  });
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.discovery",
    bindings: [bind(DiscoveryService, impl)],
    codes: CODES,
    guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
    drainMs: 200,
  });
  const channel = dial({ address: server.address });
  return {
    calls: client(DiscoveryService, channel),
    roster,
    metrics,
    drain: () => server.drain(),
    async [Symbol.asyncDispose]() {
      channel.close();
      await server.drain();
      await roster[Symbol.asyncDispose]();
    },
  };
}

/** What a test changes of an agent that is ONLINE, can do `python`, and has neither price nor record. */
interface Facts {
  readonly capabilities?: string[];
  readonly cents?: number;
  readonly state?: AvailabilityState;
  readonly sure?: number;
  readonly leaseExpires?: Date;
  readonly leaseSeconds?: number;
}

/** An agent as the registry streams it; `cents` of EUR, `sure` from 0 to 1. */
export function anAgent(agentId: string, facts: Facts = {}): MessageInitShape<typeof AgentSchema> {
  const {
    capabilities = ["python"],
    cents,
    state = AvailabilityState.ONLINE,
    sure,
    leaseExpires,
    leaseSeconds,
  } = facts;
  const cost = { micros: BigInt(cents ?? 0) * 10_000n, currencyCode: "EUR" };
  return {
    agentId,
    profile: {
      capabilities,
      endpoint: { uri: `grpc://${agentId}.example:443`, protocol: "grpc" },
      metadata: { zone: "eu" },
      sla: { p95Latency: durationFromMs(2_000) },
      ...(cents !== undefined && { pricing: { costPerTask: cost } }),
    },
    availability: {
      state,
      declaredState: state,
      ...(leaseExpires !== undefined && { leaseExpireTime: timestampFromDate(leaseExpires) }),
      ...(leaseSeconds !== undefined && { lease: { seconds: BigInt(leaseSeconds) } }),
    },
    reputation: {
      reliabilities: sure === undefined ? [] : [{ capability: "python", lowerBound: sure }],
    },
  };
}

/** A registry of these agents. */
export function registryOf(...agents: readonly MessageInitShape<typeof AgentSchema>[]): Registry {
  const registry = startRegistry();
  for (const agent of agents) registry.put(agent);
  return registry;
}
