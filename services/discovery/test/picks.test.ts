import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Picks } from "../src/market/picks.ts";

const [ADA, BOB] = [0, 1];

/** Lets what is to leave by a moment leave; answers with whose they were. */
function expired(picks: Picks, nowMs: number): number[] {
  const slots: number[] = [];
  for (let pick = picks.expire(nowMs); pick !== undefined; pick = picks.expire(nowMs)) {
    slots.push(pick.slot);
  }
  return slots;
}

describe("picks", () => {
  test("count within the window, which has its start outside and its end inside", () => {
    const picks = new Picks(60_000);
    for (const atMs of [1_000, 2_000, 61_000]) picks.record(ADA, atMs);
    const countAt = (nowMs: number): number => {
      expired(picks, nowMs);
      return picks.count(ADA);
    };

    expect([61_000, 61_999, 62_000, 121_000].map(countAt)).toEqual([2, 2, 1, 0]);
    expect(picks.count(BOB)).toBe(0);
  });

  test("count only those after a moment when one is given", () => {
    const picks = new Picks(60_000);
    for (const atMs of [1_000, 2_000, 3_000]) picks.record(ADA, atMs);

    expect(picks.count(ADA, 1_000)).toBe(2);
    expect(picks.count(ADA, 3_000)).toBe(0);
  });

  test("forget what lies ahead of a clock that was set back", () => {
    const picks = new Picks(60_000);
    for (let slot = 2; slot < 1_000; slot += 1) picks.record(slot, 86_400_000);

    expect(expired(picks, 0)).toHaveLength(998);
    picks.record(ADA, 0);
    picks.record(BOB, 61_000);
    expired(picks, 61_000);

    expect(picks.size).toBe(1);
    expect(picks.count(BOB)).toBe(1);
  });

  test("forget what has left the window, and whose they were once they are told to", () => {
    const picks = new Picks(60_000);
    for (let slot = 2; slot < 1_000; slot += 1) picks.record(slot, slot);
    picks.record(ADA, 1_000);
    picks.forget(7);

    expect(picks.count(7)).toBe(0);
    expect(expired(picks, 200_000)).not.toContain(7);
    expect(picks.size).toBe(0);
  });

  test("agree with counting all of them", () => {
    const some = fc.array(fc.tuple(fc.nat(300), fc.nat(2)), { maxLength: 2_000 });
    fc.assert(
      fc.property(some, fc.nat(300), fc.nat(300), (unsorted, laterMs, sinceMs) => {
        const sorted = [...unsorted].sort(([a], [b]) => a - b);
        const nowMs = (sorted.at(-1)?.[0] ?? 0) + laterMs;
        const picks = new Picks(100);
        for (const [atMs, slot] of sorted) picks.record(slot, atMs);

        const left = sorted.filter(([atMs]) => atMs <= nowMs - 100);
        expect(expired(picks, nowMs)).toEqual(left.map(([, slot]) => slot));
        const expected = sorted.filter(
          ([atMs, slot]) => slot === ADA && atMs > nowMs - 100 && atMs > sinceMs,
        );
        expect(picks.count(ADA, sinceMs)).toBe(expected.length);
      }),
    );
  });
});
