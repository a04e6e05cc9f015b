import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adjustScore,
  applyOutcome,
  averageLatencyMs,
  CAPABILITIES_MAX,
  HALF_LIFE_MS,
  initialReputation,
  multiplierPpm,
  type Outcome,
  type Reputation,
  reliability,
  successRatePpm,
} from "../src/index.ts";

const NOON = new Date("2026-11-21T12:00:00Z");
const MINUTE_MS = 60_000n;

const anOutcome = (fields: Partial<Outcome> = {}): Outcome => ({
  success: true,
  capabilities: ["iso_construction"],
  estimatedLatencyMs: 25n * MINUTE_MS,
  actualLatencyMs: 23n * MINUTE_MS,
  ...fields,
});

describe("a new agent", () => {
  test("has score 0, calibration 1, multiplier 1 and the reliability of the prior", () => {
    const fresh = initialReputation();

    expect(fresh).toMatchObject({ scorePpm: 0n, calibrationPpm: 1_000_000n });
    expect(fresh).toMatchObject({ completed: 0n, failed: 0n });
    expect(averageLatencyMs(fresh)).toBeUndefined();
    expect(successRatePpm(fresh)).toBeUndefined();
    expect(multiplierPpm(fresh)).toBe(1_000_000n);
    expect(reliability(fresh, NOON)).toEqual({
      alphaMicros: 1_000_000n,
      betaMicros: 1_000_000n,
      evidenceMicros: 0n,
      meanPpm: 500_000n,
      lowerPpm: 94_528n,
      upperPpm: 905_472n,
    });
  });
});

describe("an outcome", () => {
  test("moves every view of the reputation", () => {
    const veteran: Reputation = {
      ...initialReputation(),
      scorePpm: 3_000_000n,
      calibrationPpm: 920_000n,
      completed: 42n,
      failed: 2n,
      timed: 44n,
      latencyTotalMs: 44n * 1_338_000n,
    };

    const after = applyOutcome(veteran, anOutcome(), NOON);

    expect(after.scorePpm).toBe(4_000_000n);
    expect(after).toMatchObject({ completed: 43n, failed: 2n });
    expect(successRatePpm(after)).toBe(955_556n);
    // 0.3 * (0.6 * 0.92 + 0.4 * 0.955556) + 0.7 * 0.92
    expect(after.calibrationPpm).toBe(924_267n);
    // 22.3 minutes, as before: 23 more among 45 are not enough to show in a tenth.
    expect(averageLatencyMs(after)).toBe(1_338_933n);
    expect(multiplierPpm(after)).toBe(2_000_000n);
    expect(reliability(after, NOON).alphaMicros).toBe(2_000_000n);
  });

  test("leaves the reputation it is applied to as it was", () => {
    const before = applyOutcome(initialReputation(), anOutcome(), NOON);
    const copy = structuredClone(before);

    applyOutcome(before, anOutcome({ success: false }), NOON);

    expect(before).toEqual(copy);
  });

  test.each([
    ["a success at the top", 5_000_000n, { success: true }, 5_000_000n],
    ["a failure at the bottom", 0n, { success: false }, 0n],
    ["a success of weight 2.5", 1_000_000n, { success: true, weightPpm: 2_500_000n }, 3_500_000n],
    ["a failure of weight 0.5", 4_000_000n, { success: false, weightPpm: 500_000n }, 3_500_000n],
  ])("that is %s takes the score from %d", (_what, scorePpm, fields, next) => {
    const before = { ...initialReputation(), scorePpm };

    expect(applyOutcome(before, anOutcome(fields), NOON).scorePpm).toBe(next);
  });

  test.each([
    ["the estimate", { estimatedLatencyMs: 0n }],
    ["the estimate, absent,", { estimatedLatencyMs: undefined }],
    ["the latency", { actualLatencyMs: 0n }],
    ["the latency, absent,", { actualLatencyMs: undefined }],
  ])("leaves the calibration alone when %s is not known", (_what, fields) => {
    const before = { ...initialReputation(), calibrationPpm: 900_000n };

    expect(applyOutcome(before, anOutcome(fields), NOON).calibrationPpm).toBe(900_000n);
  });

  test("whose latency is not known stays out of the mean", () => {
    const once = applyOutcome(initialReputation(), anOutcome(), NOON);

    const twice = applyOutcome(once, anOutcome({ actualLatencyMs: undefined }), NOON);

    expect(averageLatencyMs(twice)).toBe(23n * MINUTE_MS);
  });

  test("is evidence for its own capabilities only, each once, and for the whole", () => {
    const capabilities = ["a", "b", "b"];

    const after = applyOutcome(initialReputation(), anOutcome({ capabilities }), NOON);

    expect(reliability(after, NOON, "a").evidenceMicros).toBe(1_000_000n);
    expect(reliability(after, NOON, "b").evidenceMicros).toBe(1_000_000n);
    expect(reliability(after, NOON, "c").evidenceMicros).toBe(0n);
    expect(reliability(after, NOON).evidenceMicros).toBe(1_000_000n);
  });

  test("at more capabilities than are kept makes room for itself where least is known", () => {
    const capabilities = Array.from({ length: CAPABILITIES_MAX }, (_, n) => `c${n}`);
    const later = new Date(NOON.getTime() + 60_000);
    const full = applyOutcome(initialReputation(), anOutcome({ capabilities }), NOON);
    const known = applyOutcome(full, anOutcome({ capabilities: capabilities.slice(1) }), NOON);

    const after = applyOutcome(known, anOutcome({ capabilities: ["new"] }), later);

    expect(after.evidenceByCapability.size).toBe(CAPABILITIES_MAX);
    expect(after.evidenceByCapability.has("new")).toBe(true);
    expect(after.evidenceByCapability.has("c0")).toBe(false);
  });

  test("counts half as evidence when the half-life has passed", () => {
    const after = applyOutcome(initialReputation(), anOutcome(), NOON);
    const later = new Date(NOON.getTime() + Number(HALF_LIFE_MS));

    expect(reliability(after, later, "iso_construction").evidenceMicros).toBe(500_000n);
  });

  test.each([
    ["a negative weight", { weightPpm: -1n }],
    ["a weight above 5", { weightPpm: 5_000_001n }],
    ["a negative latency", { actualLatencyMs: -1n }],
    ["a negative estimate", { estimatedLatencyMs: -1n }],
  ])("with %s is refused", (_what, fields) => {
    expect(() => applyOutcome(initialReputation(), anOutcome(fields), NOON)).toThrow(RangeError);
  });

  test("keeps every view within its bounds, whatever the history", () => {
    const anyOutcome = fc.record({
      success: fc.boolean(),
      capabilities: fc.subarray(["a", "b", "__proto__"]),
      estimatedLatencyMs: fc.bigInt(0n, 10n ** 12n),
      actualLatencyMs: fc.bigInt(0n, 10n ** 12n),
      weightPpm: fc.bigInt(0n, 5_000_000n),
    });
    const anyHistory = fc.array(fc.tuple(anyOutcome, fc.date({ noInvalidDate: true })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(anyHistory, (history) => {
        const end = history.reduce(
          (before, [outcome, at]) => applyOutcome(before, outcome, at),
          initialReputation(),
        );
        const given = history.reduce((sum, [outcome]) => sum + outcome.weightPpm, 0n);
        const sure = reliability(end, NOON);
        expect(end.completed + end.failed).toBe(BigInt(history.length));
        expect(end.scorePpm >= 0n && end.scorePpm <= 5_000_000n).toBe(true);
        expect(end.calibrationPpm >= 0n && end.calibrationPpm <= 1_000_000n).toBe(true);
        expect(sure.evidenceMicros >= 0n && sure.evidenceMicros <= given).toBe(true);
        expect(multiplierPpm(end) >= 500_000n && multiplierPpm(end) <= 2_000_000n).toBe(true);
      }),
    );
  });
});

describe("the multiplier", () => {
  test.each([
    [95n, 5n, 2_000_000n],
    [94n, 6n, 1_800_000n],
    [90n, 10n, 1_800_000n],
    [89n, 11n, 1_500_000n],
    [80n, 20n, 1_500_000n],
    [79n, 21n, 1_200_000n],
    [70n, 30n, 1_200_000n],
    [69n, 31n, 1_000_000n],
    [60n, 40n, 1_000_000n],
    [59n, 41n, 500_000n],
    [0n, 1n, 500_000n],
    [1n, 0n, 2_000_000n],
    [9_499_999n, 500_001n, 1_800_000n],
  ])("after %d successes and %d failures is %d", (completed, failed, ppm) => {
    expect(multiplierPpm({ completed, failed })).toBe(ppm);
  });
});

describe("the score", () => {
  test.each([
    [3_000_000n, 1_500_000n, 4_500_000n],
    [3_000_000n, 9_000_000n, 5_000_000n],
    [3_000_000n, -9_000_000n, 0n],
  ])("of %d adjusted by %d is %d", (scorePpm, delta, next) => {
    expect(adjustScore({ ...initialReputation(), scorePpm }, delta).scorePpm).toBe(next);
  });
});
