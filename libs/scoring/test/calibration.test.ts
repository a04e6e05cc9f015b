import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextCalibrationPpm } from "../src/index.ts";
import { anyRatio } from "./support.ts";

describe("calibration", () => {
  test.each([
    // 0.3 * (0.6 * 0.92 + 0.4 * 0.955) + 0.7 * 0.92 = 0.9242, shown as 0.92
    [920_000n, 920_000n, 955_000n, 924_200n],
    [1_000_000n, 1_000_000n, 1_000_000n, 1_000_000n],
    [1_000_000n, 0n, 0n, 700_000n],
    [0n, 1_000_000n, 0n, 180_000n],
    [0n, 0n, 1_000_000n, 120_000n],
    [999_999n, 1_000_000n, 1_000_000n, 1_000_000n],
    [1n, 0n, 0n, 0n],
  ])("%d with accuracy %d and success rate %d becomes %d", (old, accuracy, rate, next) => {
    const step = { oldPpm: old, latencyAccuracyPpm: accuracy, successRatePpm: rate };

    expect(nextCalibrationPpm(step)).toBe(next);
  });

  test.each([
    [980_000n, 1_000_000n],
    [0n, 1_000_000n],
    [1_000_000n, 0n],
  ])("from %d arrives at %d under work that is always so", (start, target) => {
    let oldPpm = start;
    for (let task = 0; task < 60; task += 1) {
      oldPpm = nextCalibrationPpm({
        oldPpm,
        latencyAccuracyPpm: target,
        successRatePpm: target,
      });
    }

    expect(oldPpm).toBe(target);
  });

  test("stays within 0 and 1, and between the old one and what the work deserves", () => {
    fc.assert(
      fc.property(anyRatio, anyRatio, anyRatio, (oldPpm, latencyAccuracyPpm, successRatePpm) => {
        const next = nextCalibrationPpm({ oldPpm, latencyAccuracyPpm, successRatePpm });
        const deserved = (6n * latencyAccuracyPpm + 4n * successRatePpm) / 10n;
        const [low, high] = oldPpm < deserved ? [oldPpm, deserved] : [deserved, oldPpm];
        expect(next >= 0n && next <= 1_000_000n).toBe(true);
        expect(next >= low - 1n && next <= high + 1n).toBe(true);
      }),
    );
  });

  test.each(["oldPpm", "latencyAccuracyPpm", "successRatePpm"])("refuses %s above 1", (name) => {
    const step = { oldPpm: 0n, latencyAccuracyPpm: 0n, successRatePpm: 0n, [name]: 1_000_001n };

    expect(() => nextCalibrationPpm(step)).toThrow(name);
  });
});
