import { describe, expect, test } from "vitest";
import { summed, turnsOf } from "./pair.ts";

describe("a pair", () => {
  test("takes turns, each first as often as the other", () => {
    expect(turnsOf(5)).toEqual({
      turns: ["empty", "target", "target", "empty", "empty", "target", "target", "empty"],
      seconds: 1.25,
    });
  });

  test.each([1, 2, 3, 5, 7, 10, 60])("of %d seconds has as many for each", (wanted) => {
    const { turns, seconds } = turnsOf(wanted);
    const lasted = (turn: string) => turns.filter((one) => one === turn).length * seconds;

    expect([lasted("empty"), lasted("target")]).toEqual([wanted, wanted]);
  });

  test("is summed up over all its slices", () => {
    const slices = [
      { calls: 3, perSecond: 300, tookMs: [1, 2, 3], cpuSeconds: 0.003, counted: 3 },
      { calls: 1, perSecond: 100, tookMs: [9], cpuSeconds: 0.001, counted: 1 },
    ];

    expect(summed(slices)).toEqual({
      perSecond: 200,
      p50Ms: 2,
      p99Ms: 9,
      maxMs: 9,
      cpuUs: 1_000,
    });
  });
});
