import type { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { eur } from "./money.ts";
import { minutes } from "./time.ts";

export type AgentProfileInit = Exclude<
  MessageInitShape<typeof AgentProfileSchema>,
  { readonly $typeName: string }
>;

/** A profile that passes every rule; say only what matters. */
export function aProfile(wish: Partial<AgentProfileInit> = {}): AgentProfileInit {
  return {
    displayName: "An agent of a story",
    capabilities: ["iso_construction"],
    endpoint: { uri: "grpc://agent.example:443", protocol: "grpc" },
    sla: {
      p50Latency: minutes(20),
      p95Latency: minutes(30),
      p99Latency: minutes(45),
      successRate: 0.98,
    },
    pricing: { costPerTask: eur(2.5) },
    maxConcurrent: 1_000,
    ...wish,
  };
}
