import type { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";

const text = (maxLength: number) => {
  return fc
    .string({ unit: "grapheme", maxLength: maxLength / 20 })
    .filter((it) => !it.includes("\0"));
};
const money = fc.record({
  micros: fc.bigInt({ min: 0n, max: 9_000_000_000_000_000n }),
  currencyCode: fc.constantFrom("EUR", "USD", "SAT", "USDC"),
});
const NANOS = 1_000_000_000n;
const LONGEST = 31_536_000n * NANOS;
const latencies = fc
  .array(fc.bigInt({ min: 1n, max: LONGEST }), { minLength: 3, maxLength: 3 })
  .map((nanos) => {
    return nanos
      .sort((a, b) => (a < b ? -1 : 1))
      .map((each) => ({ seconds: each / NANOS, nanos: Number(each % NANOS) }));
  });
const capability = fc.stringMatching(/^[A-Za-z][A-Za-z_.:/+-]{0,20}$/);

/** Any profile that the contract allows, its texts shorter than they may be. */
export const anyProfile: fc.Arbitrary<MessageInitShape<typeof AgentProfileSchema>> = fc
  .record({
    displayName: text(200),
    description: text(4_000),
    endpoint: fc.option(
      fc.record({
        uri: fc.webUrl().filter((uri) => uri.length <= 2_000),
        protocol: fc.constantFrom("grpc", "a2a", "mcp"),
      }),
      { nil: undefined },
    ),
    capabilities: fc.array(capability, { minLength: 1, maxLength: 6 }),
    sla: fc.option(
      fc
        .record({
          latencies,
          which: fc.nat(7),
          rate: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
          money: fc.option(money),
        })
        .map(({ latencies: [p50, p95, p99], which, rate, money: maxCost }) => ({
          ...((which & 1) !== 0 && p50 && { p50Latency: p50 }),
          ...((which & 2) !== 0 && p95 && { p95Latency: p95 }),
          ...((which & 4) !== 0 && p99 && { p99Latency: p99 }),
          ...(rate !== null && { successRate: rate }),
          ...(maxCost !== null && { maxCost }),
        })),
      { nil: undefined },
    ),
    costModel: fc.option(
      fc
        .record({
          base: money,
          perMinute: fc.option(money),
          multiplier: fc.option(fc.double({ min: 0, max: 1_000, noNaN: true })),
        })
        .map(({ base, perMinute, multiplier }) => ({
          base,
          ...(perMinute !== null && {
            perMinute: { ...perMinute, currencyCode: base.currencyCode },
          }),
          ...(multiplier !== null && { complexityMultiplier: multiplier }),
        })),
      { nil: undefined },
    ),
    pricing: fc.option(fc.record({ costPerTask: money, billingNotes: text(1_000) }), {
      nil: undefined,
    }),
    capacityPerHour: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
    maxConcurrent: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
    autoBid: fc.boolean(),
    metadata: fc.dictionary(
      text(100).filter((key) => key !== "" && key !== "__proto__"),
      text(1_000),
      { maxKeys: 5 },
    ),
  })
  .map((profile) => {
    const given = Object.entries(profile).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given);
  });
