import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPicks } from "../src/picks.ts";

describe("picks", () => {
  test("count within the window, which has its start outside and its end inside", () => {
    const picks = createPicks(60_000);
    for (const atMs of [1_000, 2_000, 61_000]) picks.record("ada", atMs);

    expect(picks.count("ada", 61_000)).toBe(2);
    expect(picks.count("ada", 61_999)).toBe(2);
    expect(picks.count("ada", 62_000)).toBe(1);
    expect(picks.count("ada", 121_000)).toBe(0);
    expect(picks.count("bob", 61_000)).toBe(0);
  });

  test("count only those after a moment when one is given", () => {
    const picks = createPicks(60_000);
    for (const atMs of [1_000, 2_000, 3_000]) picks.record("ada", atMs);

    expect(picks.count("ada", 3_000, 1_000)).toBe(2);
    expect(picks.count("ada", 3_000, 3_000)).toBe(0);
  });

  test("forget what lies ahead of a clock that was set back", () => {
    const picks = createPicks(60_000);
    for (let agent = 0; agent < 1_000; agent += 1) picks.record(`agent-${agent}`, 86_400_000);

    picks.record("ada", 0);
    picks.record("bob", 61_000);

    expect(picks.size).toBe(1);
    expect(picks.count("ada", 0)).toBe(0);
    expect(picks.count("bob", 61_000)).toBe(1);
  });

  test("forget what has left the window", () => {
    const picks = createPicks(60_000);
    for (let agent = 0; agent < 1_000; agent += 1) picks.record(`agent-${agent}`, agent);

    picks.record("ada", 200_000);

    expect(picks.size).toBe(1);
  });

  test("agree with counting all of them", () => {
    const times = fc.array(fc.nat(300), { maxLength: 50 });
    fc.assert(
      fc.property(times, fc.nat(300), fc.nat(300), (unsorted, laterMs, sinceMs) => {
        const sorted = [...unsorted].sort((a, b) => a - b);
        const nowMs = (sorted.at(-1) ?? 0) + laterMs;
        const picks = createPicks(100);
        for (const atMs of sorted) picks.record("ada", atMs);

        const expected = sorted.filter((atMs) => atMs > nowMs - 100 && atMs > sinceMs);
        expect(picks.count("ada", nowMs, sinceMs)).toBe(expected.length);
      }),
    );
  });
});
