import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import {
  type RegisterAgentRequest,
  RegisterAgentRequestSchema,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { screenOf } from "../src/screen.ts";
import { anyMessage } from "./any-message.ts";

const SERVICES = [AuctionService, DiscoveryService, LedgerService, LineageService, RegistryService];
const INPUTS = SERVICES.flatMap((service) => service.methods.map(({ input }) => input));
const validator = createValidator();

function isValid(desc: DescMessage, message: RegisterAgentRequest): boolean {
  try {
    return validator.validate(desc, message).kind === "valid";
  } catch {
    return false;
  }
}

describe("a screen", () => {
  test.each(INPUTS.map((desc) => [desc.name, desc] as const))(
    "%s: lets nothing pass that breaks a rule, and not nothing",
    (_name, desc) => {
      let passed = 0;
      const property = fc.property(anyMessage(desc), (message) => {
        if (!screenOf(desc)(message)) return;
        passed++;
        expect(isValid(desc, message as RegisterAgentRequest)).toBe(true);
      });

      fc.assert(property, { numRuns: 300 });

      expect(passed).toBeGreaterThan(0);
    },
  );

  const euros = (micros: bigint) => ({ micros, currencyCode: "EUR" });
  const complete = {
    requestId: "r-1",
    agentId: "agent-1",
    profile: {
      displayName: "Agent",
      capabilities: ["python", "grpc/v2"],
      endpoint: { uri: "https://agent.example:443/a2a", protocol: "a2a" },
      sla: { p50Latency: seconds(1), p95Latency: seconds(2), successRate: 0.9, maxCost: euros(1n) },
      costModel: { base: euros(0n), perMinute: euros(5n), complexityMultiplier: 1.5 },
      pricing: { costPerTask: euros(0n), billingNotes: "net" },
      capacityPerHour: 1,
      maxConcurrent: 1_000_000,
      metadata: { region: "eu" },
    },
    lease: seconds(86_400),
  } satisfies MessageInitShape<typeof RegisterAgentRequestSchema>;

  test("lets a complete profile pass, so that nobody need look at it closely", () => {
    const request = create(RegisterAgentRequestSchema, complete);

    expect(screenOf(RegisterAgentRequestSchema)(request)).toBe(true);
  });

  test.each<[string, (request: RegisterAgentRequest) => void]>([
    ["a required message is missing", (it) => delete it.profile],
    ["an id of other characters", (it) => Object.assign(it, { agentId: "agent 1" })],
    ["too few items", (it) => profileOf(it).capabilities.splice(0)],
    ["an item of another form", (it) => profileOf(it).capabilities.push("a b")],
    ["latencies out of order", (it) => Object.assign(slaOf(it), { p50Latency: seconds(3) })],
    ["a latency of nothing", (it) => Object.assign(slaOf(it), { p50Latency: seconds(0) })],
    ["a share above one", (it) => Object.assign(slaOf(it), { successRate: 1.01 })],
    ["a share that is no number", (it) => Object.assign(slaOf(it), { successRate: Number.NaN })],
    ["a lease above a day", (it) => Object.assign(it, { lease: seconds(86_401) })],
    ["two currencies", (it) => Object.assign(costOf(it), { currencyCode: "USD" })],
    ["a cost below nothing", (it) => Object.assign(costOf(it), { micros: -1n })],
    ["a state that is not defined", (it) => Object.assign(it, { declaredState: 9 })],
    ["a label with a NUL", (it) => Object.assign(profileOf(it).metadata, { tier: "a\0" })],
    ["a URI with a blank", (it) => Object.assign(profileOf(it).endpoint ?? {}, { uri: "a b" })],
  ])("lets a profile not pass with %s", (_what, spoil) => {
    const request = create(RegisterAgentRequestSchema, complete);
    spoil(request);

    expect(screenOf(RegisterAgentRequestSchema)(request)).toBe(false);
    expect(isValid(RegisterAgentRequestSchema, request)).toBe(false);
  });
});

function seconds(count: number) {
  return { seconds: BigInt(count), nanos: 0 };
}

function profileOf(request: RegisterAgentRequest) {
  return request.profile ?? expect.fail("no profile");
}

function slaOf(request: RegisterAgentRequest) {
  return profileOf(request).sla ?? expect.fail("no SLA");
}

function costOf(request: RegisterAgentRequest) {
  return profileOf(request).costModel?.base ?? expect.fail("no base");
}
