import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contingentPayment, POLICY_NAMES, price, rank, score } from "../src/index.ts";
import { exactScore } from "../src/policy.ts";
import { aBid, anyAuction, someTerms } from "./support.ts";

const anyPolicy = fc.constantFrom(...POLICY_NAMES);
const scoredByPrice = fc.constantFrom("CIVIC_V1", "CIVIC_V1_CODE", "LOWEST_PRICE", "VALUE");
const anyRule = fc.constantFrom("PAY_AS_BID", "SECOND_SCORE");

describe("PAY_AS_BID", () => {
  test("pays the winner its own price", () => {
    const ranked = rank("CIVIC_V1", someTerms(), [aBid()]);

    expect(price("PAY_AS_BID", "CIVIC_V1", someTerms(), ranked)).toBe(2_300_000n);
  });
});

describe("SECOND_SCORE", () => {
  const winner = aBid({ bidId: "winner", sequence: 1n, priceMicros: 1_000_000n });
  const runnerUp = aBid({ bidId: "runner-up", sequence: 2n, priceMicros: 1_500_000n });

  test.each([
    ["the second price, when bids differ in nothing else", {}, 1_500_000n],
    // 0.005 of calibration is 0.001 of score, worth 0.001 / 0.4 of the max cost of 2.50.
    ["more to a winner that is better calibrated", { calibrationPpm: 925_000n }, 1_506_250n],
    // 0.02 of success is 0.04 of score.
    ["more to a winner that is surer", { successPpm: 1_000_000n }, 1_750_000n],
    ["the max cost to a winner that is much faster", { latencyMs: 60_000n }, 2_500_000n],
  ])("pays %s", (_what, better, paid) => {
    const ranked = rank("CIVIC_V1", someTerms(), [{ ...winner, ...better }, runnerUp]);

    expect(price("SECOND_SCORE", "CIVIC_V1", someTerms(), ranked)).toBe(paid);
  });

  test("pays the runner-up's price under LOWEST_PRICE, to the micro", () => {
    const ranked = rank("LOWEST_PRICE", someTerms(), [winner, runnerUp]);

    expect(price("SECOND_SCORE", "LOWEST_PRICE", someTerms(), ranked)).toBe(1_500_000n);
  });

  test("pays a lone bid the max cost", () => {
    const ranked = rank("CIVIC_V1", someTerms(), [winner]);

    expect(price("SECOND_SCORE", "CIVIC_V1", someTerms(), ranked)).toBe(2_500_000n);
  });

  test("pays the posted price under POSTED_PRICE", () => {
    const ranked = rank("POSTED_PRICE", someTerms(), [winner, runnerUp]);

    expect(price("SECOND_SCORE", "POSTED_PRICE", someTerms(), ranked)).toBe(1_000_000n);
  });

  test("pays the highest price at which the winner's score does not exceed the runner-up's", () => {
    fc.assert(
      fc.property(scoredByPrice, anyAuction, (policy, { terms, bids }) => {
        const ranked = rank(policy, terms, bids);
        const [first, second] = ranked;
        if (first === undefined || second === undefined) return;

        const paid = price("SECOND_SCORE", policy, terms, ranked);

        const at = (priceMicros: bigint) =>
          score(policy, terms, { ...first, priceMicros }).scoreMicros;
        const next = exactScore(policy, terms, { ...first, priceMicros: paid + 1n });
        const limit = exactScore(policy, terms, second);
        expect(at(paid) <= second.scoreMicros).toBe(true);
        expect(
          paid === terms.maxCostMicros ||
            next.numerator * limit.denominator > limit.numerator * next.denominator,
        ).toBe(true);
      }),
    );
  });

  test("pays the same whatever the winner asks, as long as it wins by more than rounding", () => {
    fc.assert(
      fc.property(scoredByPrice, anyAuction, fc.nat(100), (policy, { terms, bids }, percent) => {
        const ranked = rank(policy, terms, bids);
        const [first, second] = ranked;
        if (first === undefined || first.scoreMicros === second?.scoreMicros) return;
        const paid = price("SECOND_SCORE", policy, terms, ranked);

        const asked = (paid * BigInt(percent)) / 100n;
        const again = rank(
          policy,
          terms,
          bids.map((bid) => (bid.bidId === first.bidId ? { ...bid, priceMicros: asked } : bid)),
        );

        if (again[0]?.bidId !== first.bidId) return;
        expect(price("SECOND_SCORE", policy, terms, again)).toBe(paid);
      }),
    );
  });
});

describe("every price", () => {
  test("is at least the winner's own and at most the max cost", () => {
    fc.assert(
      fc.property(anyRule, anyPolicy, anyAuction, (rule, policy, { terms, bids }) => {
        const ranked = rank(policy, terms, bids);
        const paid = price(rule, policy, terms, ranked);
        expect(paid >= (ranked[0]?.priceMicros ?? 0n)).toBe(true);
        expect(paid <= terms.maxCostMicros).toBe(true);
      }),
    );
  });

  test.each(["PAY_AS_BID", "SECOND_SCORE"] as const)("%s is refused without a bid", (rule) => {
    expect(() => price(rule, "CIVIC_V1", someTerms(), [])).toThrow("no bid");
  });

  test.each(["PAY_AS_BID", "SECOND_SCORE"] as const)("%s is refused above the max cost", (rule) => {
    const ranked = rank("CIVIC_V1", someTerms(), [aBid({ priceMicros: 3_500_000n })]);

    expect(() => price(rule, "CIVIC_V1", someTerms(), ranked)).toThrow("priceMicros is 3500000");
  });
});

describe("CONTINGENT", () => {
  const terms = someTerms({ valueMicros: 10_000_000n });
  const winner = aBid({ bidId: "winner", priceMicros: 1_000_000n, successPpm: 900_000n });

  test("pays V - W2 on success and -W2 on failure", () => {
    const runnerUp = aBid({ bidId: "runner-up", priceMicros: 2_000_000n, successPpm: 800_000n });
    const ranked = rank("VALUE", terms, [winner, runnerUp]);

    expect(contingentPayment(terms, ranked)).toEqual({
      onSuccessMicros: 4_000_000n,
      onFailureMicros: -6_000_000n,
    });
  });

  test.each([
    ["there is no other bid", []],
    ["the second best promised a loss", [aBid({ bidId: "poor", successPpm: 0n })]],
  ])("pays V or nothing when %s", (_what, others) => {
    const ranked = rank("VALUE", terms, [winner, ...others]);

    expect(contingentPayment(terms, ranked)).toEqual({
      onSuccessMicros: 10_000_000n,
      onFailureMicros: 0n,
    });
  });

  test("is worth no less than it costs to a winner that told the truth", () => {
    fc.assert(
      fc.property(anyAuction, ({ terms: any, bids }) => {
        const ranked = rank("VALUE", any, bids);
        const [first] = ranked;
        if (first === undefined || first.scoreMicros > 0n) return;
        const { onSuccessMicros, onFailureMicros } = contingentPayment(any, ranked);
        const p = first.successPpm;
        const expected = p * onSuccessMicros + (1_000_000n - p) * onFailureMicros;
        expect(expected + 1_000_000n >= first.priceMicros * 1_000_000n).toBe(true);
      }),
    );
  });
});
