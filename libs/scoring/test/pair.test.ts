import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addToPair,
  ageEvidence,
  applyOutcome,
  decay,
  type Evidence,
  HALF_LIFE_MS,
  initialReputation,
  NO_EVIDENCE,
  NO_PAIR,
  type Outcome,
  type PairEvidence,
  pairShare,
  type Reputation,
  reliability,
} from "../src/index.ts";

const START = 1_790_000_000_000;
const MICRO = 1_000_000n;

interface Told {
  readonly requester: string;
  readonly success: boolean;
  readonly weightPpm: bigint;
  readonly atMs: number;
}

/** The market's record: a reputation, and beside it what each requester told. */
function record(history: readonly Told[]): {
  reputation: Reputation;
  pairs: Map<string, Evidence>;
} {
  let reputation = initialReputation();
  const pairs = new Map<string, PairEvidence>();
  for (const { requester, success, weightPpm, atMs } of history) {
    const outcome: Outcome = { success, weightPpm, capabilities: ["x"] };
    const pair = pairs.get(requester) ?? NO_PAIR;
    reputation = applyOutcome(reputation, outcome, new Date(atMs), pair);
    pairs.set(requester, addToPair(pair, outcome, new Date(atMs)));
  }
  const raw = Array.from(pairs, ([who, pair]) => {
    return [who, pair.byCapability.get("x") ?? NO_EVIDENCE] as const;
  });
  return { reputation, pairs: new Map(raw) };
}

function successes(count: number, requester = "buyer"): Told[] {
  return Array.from({ length: count }, () => {
    return { requester, success: true, weightPpm: MICRO, atMs: START };
  });
}

const lowerPpm = (history: readonly Told[]) =>
  Number(reliability(record(history).reputation, new Date(START), "x").lowerPpm);
const evidence = (history: readonly Told[]) =>
  reliability(record(history).reputation, new Date(START), "x").evidenceMicros;

describe("the word of one requester", () => {
  test.each([
    [1, 1_000_000n],
    [2, 1_666_667n],
    [6, 3_000_000n],
    [16, 4_000_000n],
    [996, 4_980_000n],
  ])("about %d tasks counts as that about %d millionths", (count, counted) => {
    expect(evidence(successes(count))).toBe(counted);
  });

  test("cannot make a reputation, however often it is given", () => {
    expect(lowerPpm(successes(3_000))).toBeLessThan(500_000);
  });

  test("weighs less than that of as many requesters", () => {
    const many = Array.from({ length: 20 }, (_, n) => successes(1, `buyer-${n}`)).flat();

    expect(lowerPpm(many)).toBeGreaterThan(750_000);
    expect(evidence(many)).toBe(20n * MICRO);
  });

  test("is capped over all capabilities together, too", () => {
    let [reputation, pair] = [initialReputation(), NO_PAIR];
    for (let n = 0; n < 100; n++) {
      const outcome = { success: true, capabilities: [`c${n}`] };
      reputation = applyOutcome(reputation, outcome, new Date(START), pair);
      pair = addToPair(pair, outcome, new Date(START));
    }

    expect(reliability(reputation, new Date(START)).evidenceMicros).toBeLessThan(5n * MICRO);
  });

  test("keeps the share of failures that it told of", () => {
    const told = successes(30).map((one, n) => ({ ...one, success: n % 3 !== 0 }));

    const { alphaMicros, betaMicros } = reliability(record(told).reputation, new Date(START), "x");

    const ratio = Number(alphaMicros - MICRO) / Number(betaMicros - MICRO);
    expect(ratio).toBeCloseTo(2, 3);
  });
});

const anyHistory = fc.array(
  fc.record({
    requester: fc.constantFrom("a", "b", "c"),
    success: fc.boolean(),
    weightPpm: fc.bigInt(0n, 5n * MICRO),
    atMs: fc.integer({ min: START, max: START + 3 * Number(HALF_LIFE_MS) }),
  }),
  { maxLength: 40 },
);

test("what counts is the share of each requester, whatever the history", () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const { reputation, pairs } = record(history);
      const total = reputation.evidenceByCapability.get("x") ?? NO_EVIDENCE;
      let expected = 0n;
      for (const { requester, weightPpm, atMs } of history) {
        const pair = pairs.get(requester) ?? NO_EVIDENCE;
        const { numerator, denominator } = pairShare(pair.successMicros + pair.failureMicros);
        expected += (decay(weightPpm, total.asOfMs - BigInt(atMs)) * numerator) / denominator;
      }

      const counted = total.successMicros + total.failureMicros;
      expect(Math.abs(Number(counted - expected))).toBeLessThan(5 * (history.length + 1));
    }),
  );
});

test("the order in which outcomes arrive matters by rounding only", () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const there = record(history).reputation.evidence;
      const back = record(history.toReversed()).reputation.evidence;

      expect(back.asOfMs).toBe(there.asOfMs);
      const off = Number(there.successMicros - back.successMicros);
      expect(Math.abs(off)).toBeLessThan(5 * (history.length + 1));
    }),
  );
});

test("the same history gives the same figures", () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      expect(record(history)).toEqual(record(history));
    }),
  );
});

test("one requester never counts as 5 outcomes, whenever they came", () => {
  const one = anyHistory.map((history) => history.map((told) => ({ ...told, requester: "a" })));
  fc.assert(
    fc.property(one, (history) => {
      const { evidence: total } = record(history).reputation;
      const { successMicros, failureMicros } = ageEvidence(total, total.asOfMs);

      expect(successMicros + failureMicros).toBeLessThan(5n * MICRO);
    }),
  );
});
