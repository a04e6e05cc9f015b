import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBids, POLICY_NAMES, rank, type ScoredBid } from "../src/index.ts";
import { aBid, anyAuction, someTerms } from "./support.ts";

const anyPolicy = fc.constantFrom(...POLICY_NAMES);
const ids = (bids: readonly ScoredBid[]) => bids.map((bid) => bid.bidId);

describe("the ranking", () => {
  test("puts the dearer, faster, surer, better calibrated bid first, as the story goes", () => {
    const a = aBid({ bidId: "a", sequence: 2n });
    const b = aBid({
      bidId: "b",
      sequence: 1n,
      priceMicros: 1_800_000n,
      latencyMs: 2_400_000n,
      successPpm: 920_000n,
      calibrationPpm: 850_000n,
    });

    expect(ids(rank("CIVIC_V1", someTerms(), [b, a]))).toEqual(["a", "b"]);
    expect(ids(rank("CIVIC_V1_CODE", someTerms(), [b, a]))).toEqual(["a", "b"]);
    expect(ids(rank("LOWEST_PRICE", someTerms(), [b, a]))).toEqual(["b", "a"]);
  });

  test.each([
    ["score", { multiplierPpm: 2_000_000n, priceMicros: 9n, sequence: 9n, bidId: "z" }],
    ["price, when scores are equal", { priceMicros: 1n, sequence: 9n, bidId: "z" }],
    ["sequence, when prices are equal too", { sequence: 1n, bidId: "z" }],
    ["bid id, when nothing else differs", { bidId: "a" }],
  ])("goes by %s", (_what, winner) => {
    const base = { multiplierPpm: 1_000_000n, priceMicros: 5n, sequence: 5n };
    const other = aBid({ ...base, bidId: "m" });
    const best = aBid({ ...base, ...winner });

    const ranked = rank("POSTED_PRICE", someTerms(), [other, best]);

    expect(ids(ranked)).toEqual([best.bidId, other.bidId]);
    expect(ranked.map((bid) => bid.place)).toEqual([1, 2]);
  });

  test("keeps the further fields of a bid", () => {
    const bid = { ...aBid(), agentId: "optimizer" };

    const [first] = rank("CIVIC_V1", someTerms(), [bid]);

    expect(first).toMatchObject({ ...bid, scoreMicros: 574_000n, place: 1 });
  });

  test("of no bids is empty", () => {
    expect(rank("CIVIC_V1", someTerms(), [])).toEqual([]);
  });

  test("does not depend on the order of arrival at the ranking", () => {
    fc.assert(
      fc.property(
        anyPolicy,
        anyAuction.chain(({ terms, bids }) =>
          fc.record({
            terms: fc.constant(terms),
            bids: fc.constant(bids),
            shuffled: fc.shuffledSubarray(bids, { minLength: bids.length }),
          }),
        ),
        (policy, { terms, bids, shuffled }) => {
          expect(rank(policy, terms, shuffled)).toEqual(rank(policy, terms, bids));
        },
      ),
    );
  });

  test("of some of the bids is the ranking of all with the others left out", () => {
    fc.assert(
      fc.property(
        anyPolicy,
        anyAuction.chain(({ terms, bids }) =>
          fc.record({
            terms: fc.constant(terms),
            bids: fc.constant(bids),
            some: fc.subarray(bids, { minLength: 1 }),
          }),
        ),
        (policy, { terms, bids, some }) => {
          const all = ids(rank(policy, terms, bids));
          const kept = new Set(ids(some));
          expect(ids(rank(policy, terms, some))).toEqual(all.filter((id) => kept.has(id)));
        },
      ),
    );
  });

  test("never drops a winner that lowers its price, its latency or its risk", () => {
    fc.assert(
      fc.property(anyPolicy, anyAuction, anyAuction, (policy, { terms, bids }, other) => {
        const [winner] = rank(policy, terms, bids);
        const [donor] = other.bids;
        if (winner === undefined || donor === undefined) return;
        const improved: ScoredBid = {
          ...winner,
          priceMicros: least(winner.priceMicros, donor.priceMicros),
          latencyMs: least(winner.latencyMs, donor.latencyMs),
          successPpm: -least(-winner.successPpm, -donor.successPpm),
        };
        const after = bids.map((bid) => (bid.bidId === winner.bidId ? improved : bid));
        expect(rank(policy, terms, after)[0]?.bidId).toBe(winner.bidId);
      }),
    );
  });

  test("is a total order: antisymmetric and transitive", () => {
    fc.assert(
      fc.property(anyPolicy, anyAuction, (policy, { terms, bids }) => {
        const ranked = rank(policy, terms, bids);
        for (const a of ranked) {
          for (const b of ranked) {
            expect(Math.sign(compareBids(a, b))).toBe(Math.sign(a.place - b.place));
          }
        }
      }),
    );
  });
});

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
