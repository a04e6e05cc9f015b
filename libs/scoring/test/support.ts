import fc from "fast-check";
import type { ScoredBid, Terms } from "../src/index.ts";

const MINUTE_MS = 60_000n;

/** A legal bid under `someTerms()`, but for what is given. */
export function aBid(fields: Partial<ScoredBid> = {}): ScoredBid {
  return {
    bidId: "bid-1",
    sequence: 1n,
    priceMicros: 2_300_000n,
    latencyMs: 25n * MINUTE_MS,
    successPpm: 980_000n,
    calibrationPpm: 920_000n,
    multiplierPpm: 1_000_000n,
    ...fields,
  };
}

/** At most 2.50 and 30 minutes. */
export function someTerms(fields: Partial<Terms> = {}): Terms {
  return { maxCostMicros: 2_500_000n, maxLatencyMs: 30n * MINUTE_MS, ...fields };
}

/** Any ratio from 0 to 1, often at an end. */
export const anyRatio = fc.oneof(
  fc.constantFrom(0n, 500_000n, 1_000_000n),
  fc.bigInt(0n, 1_000_000n),
);

/** Any terms, from the smallest amounts to those near the end of int64. */
export const anyTerms: fc.Arbitrary<Terms> = fc.record({
  maxCostMicros: fc.oneof(fc.bigInt(1n, 50n), fc.bigInt(1n, 10n ** 18n)),
  maxLatencyMs: fc.oneof(fc.bigInt(1n, 50n), fc.bigInt(1n, 10n ** 12n)),
  valueMicros: fc.option(fc.bigInt(0n, 10n ** 18n), { nil: undefined }),
});

/** Any terms with up to eight bids that keep to them, in order of arrival; many ties. */
export const anyAuction: fc.Arbitrary<{ terms: Terms; bids: ScoredBid[] }> = anyTerms.chain(
  (terms) =>
    fc.record({
      terms: fc.constant(terms),
      bids: fc
        .array(anyBid(terms), { minLength: 1, maxLength: 8 })
        .map((bids) =>
          bids.map((bid, index) => ({ ...bid, bidId: `bid-${index}`, sequence: BigInt(index) })),
        ),
    }),
);

function anyBid(terms: Terms): fc.Arbitrary<ScoredBid> {
  return fc.record({
    bidId: fc.constant(""),
    sequence: fc.constant(0n),
    priceMicros: upTo(terms.maxCostMicros),
    latencyMs: upTo(terms.maxLatencyMs),
    successPpm: anyRatio,
    calibrationPpm: anyRatio,
    multiplierPpm: fc.constantFrom(500_000n, 1_000_000n, 1_200_000n, 2_000_000n),
  });
}

function upTo(max: bigint): fc.Arbitrary<bigint> {
  return fc.oneof(fc.constantFrom(1n, (max + 1n) / 2n, max), fc.bigInt(1n, max));
}
