import { describe, expect, test } from "vitest";
import {
  bidFromCostModel,
  type Complexity,
  complexityLevel,
  DEFAULT_COST_MODEL,
  postedPriceMicros,
} from "../src/index.ts";

const MINUTE_MS = 60_000n;
const optimizer = {
  baseMicros: 1_500_000n,
  perMinuteMicros: 50_000n,
  complexityMultiplierPpm: 1_300_000n,
};
const aRequest = {
  model: optimizer,
  successPpm: 980_000n,
  maxLatencyMs: 30n * MINUTE_MS,
  complexity: "medium",
} as const;

describe("complexity", () => {
  test.each([
    ["low", 4n],
    ["medium", 6n],
    ["high", 8n],
    ["critical", 9n],
    [undefined, 7n],
    [1, 1n],
    [10, 10n],
  ] as const)("%s is level %d", (complexity, level) => {
    expect(complexityLevel(complexity)).toBe(level);
  });

  test.each([0, 11, 2.5, Number.NaN, -1, "constructor", "HIGH", ""])("%s is refused", (level) => {
    expect(() => complexityLevel(level as Complexity)).toThrow("an integer from 1 to 10");
  });
});

describe("a bid from a cost model", () => {
  test.each([
    ["medium", 30n, 18n, 2_670_000n],
    ["high", 45n, 36n, 3_840_000n],
    ["low", 30n, 12n, 2_280_000n],
    ["critical", 30n, 27n, 3_255_000n],
    [undefined, 30n, 21n, 2_865_000n],
    ["medium", 7n, 4n, 1_760_000n],
  ] as const)(
    "for %s work of %d minutes plans %d and asks %d",
    (complexity, max, planned, asks) => {
      const bid = bidFromCostModel({ ...aRequest, maxLatencyMs: max * MINUTE_MS, complexity });

      expect(bid).toEqual({
        priceMicros: asks,
        latencyMs: planned * MINUTE_MS,
        successPpm: 980_000n,
      });
    },
  );

  test.each([
    [60_000n, 36_000n, 1_539_000n],
    [1_000n, 600n, 1_500_650n],
    [1n, 1n, 1_500_001n],
  ])("for work of less than a minute (%d ms) plans %d ms", (maxLatencyMs, latencyMs, asks) => {
    const bid = bidFromCostModel({ ...aRequest, maxLatencyMs });

    expect(bid).toMatchObject({ latencyMs, priceMicros: asks });
  });

  test("is rounded once, to the micro, not to the cent", () => {
    const model = { baseMicros: 0n, perMinuteMicros: 1n, complexityMultiplierPpm: 333_333n };

    // 18 minutes * 1 micro * 0.333333 = 5.999994
    expect(bidFromCostModel({ ...aRequest, model }).priceMicros).toBe(6n);
  });

  test("of an agent without one of its own is 1", () => {
    const bid = bidFromCostModel({ ...aRequest, model: DEFAULT_COST_MODEL });

    expect(bid.priceMicros).toBe(1_000_000n);
  });

  test.each([
    ["baseMicros", { model: { ...optimizer, baseMicros: -1n } }],
    ["perMinuteMicros", { model: { ...optimizer, perMinuteMicros: -1n } }],
    ["complexityMultiplierPpm", { model: { ...optimizer, complexityMultiplierPpm: -1n } }],
    ["maxLatencyMs", { maxLatencyMs: 0n }],
    ["successPpm", { successPpm: 1_000_001n }],
  ])("is refused when %s is out of range", (name, fields) => {
    expect(() => bidFromCostModel({ ...aRequest, ...fields })).toThrow(name);
  });
});

describe("the posted price", () => {
  test.each([
    [5, 2_000_000n, 1_000_000n],
    [1, 500_000n, 50_000n],
    ["high", 1_200_000n, 960_000n],
  ] as const)("of complexity %s at multiplier %d is %d SAT", (complexity, multiplier, sat) => {
    expect(postedPriceMicros(complexity, multiplier)).toBe(sat * 1_000_000n);
  });
});
