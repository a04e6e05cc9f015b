import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { draw, type Urn } from "../src/draw.ts";
import { anyOf } from "../src/market/ranked.ts";
import { shareOf } from "../src/slow-start.ts";
import { areAsLikely, seeded } from "./support/random.ts";

/** Agents 0 to below `size`, each at its own rank; tells how often one was looked at. */
function lots(size: number): Urn & { looks: number } {
  const ranks = {
    size,
    at(rank: number) {
      made.looks += 1;
      return rank;
    },
  };
  const made: Urn & { looks: number } = {
    ranks,
    looks: 0,
    any: (random, drawn) => anyOf(ranks, random, drawn),
  };
  return made;
}

/** How often each of `size` agents is drawn first. */
function drawn(size: number, times: number, weigh?: (slot: number) => number): number[] {
  const random = seeded(7);
  const counts = new Array<number>(size).fill(0);
  for (let nth = 0; nth < times; nth += 1) {
    const [slot] = draw(lots(size), { count: 1, random, weigh });
    counts[slot as number] = (counts[slot as number] as number) + 1;
  }
  return counts;
}

const weights = fc.constantFrom(0, 0.001, 0.5, 1);

describe("a draw", () => {
  test("names each agent once, and as many as there are", () => {
    const facts = [fc.nat(200), fc.nat(12), fc.infiniteStream(weights), fc.integer()] as const;
    fc.assert(
      fc.property(...facts, fc.boolean(), (size, count, stream, seed, isWeighed) => {
        const weighed = Array.from({ length: size }, () => stream.next().value as number);
        const weigh = isWeighed ? (slot: number) => weighed[slot] as number : undefined;

        const slots = draw(lots(size), { count, random: seeded(seed), weigh });

        expect(new Set(slots).size).toBe(Math.min(count, size));
        expect(slots).toHaveLength(Math.min(count, size));
        expect(slots.every((slot) => slot >= 0 && slot < size)).toBe(true);
      }),
    );
  });

  test("takes each agent as often when none is weighed", () => {
    const counts = drawn(10, 20_000);

    expect(
      areAsLikely(
        counts,
        counts.map(() => 1 / 10),
      ),
    ).toBe(true);
  });

  // 10 are looked at one by one, of 500 some are tried.
  test.each([10, 500])("takes each of %i agents in proportion to its weight", (size) => {
    const weigh = (slot: number) => (1 + (slot % 5)) / 5;
    const sum = Array.from({ length: size }, (_, slot) => weigh(slot)).reduce((a, b) => a + b);

    const counts = drawn(size, size * 400, weigh);

    expect(
      areAsLikely(
        counts,
        counts.map((_, slot) => weigh(slot) / sum),
      ),
    ).toBe(true);
  });

  test("keeps the proportion when nearly all weigh next to nothing", () => {
    const weigh = (slot: number) => (slot % 2 === 0 ? 0.002 : 0.001);

    const counts = drawn(500, 40_000, weigh);

    const even = counts.reduce((sum, count, slot) => sum + (slot % 2 === 0 ? count : 0), 0);
    // Two thirds, but for the hundredth part that tries instead of all may cost.
    expect(even / 40_000).toBeGreaterThan(0.655);
    expect(even / 40_000).toBeLessThan(0.675);
  });

  test.each([10, 500])("takes each of %i agents as often when all weigh nothing", (size) => {
    const counts = drawn(size, size * 200, () => 0);

    expect(
      areAsLikely(
        counts,
        counts.map(() => 1 / size),
      ),
    ).toBe(true);
  });

  test("looks at few agents, however many there are and however little they weigh", () => {
    const million = lots(1_000_000);

    draw(million, { count: 11, random: seeded(1), weigh: () => 0.000_001 });

    expect(million.looks).toBeLessThanOrEqual(11 * 50);
  });
});

describe("the share of a newcomer", () => {
  const NOON = Date.parse("2026-11-01T12:00:00Z");
  const slowStart = { windowMs: 100_000, aggression: 1, leastShare: 0.1 };
  test.each([
    { rule: "begins at the least share", ageMs: 0, facts: {}, share: 0.1 },
    { rule: "grows by equal steps", ageMs: 25_000, facts: {}, share: 0.25 },
    { rule: "is whole when the window ends", ageMs: 100_000, facts: {}, share: 1 },
    { rule: "stays whole", ageMs: 1e12, facts: {}, share: 1 },
    { rule: "grows faster at first", ageMs: 25_000, facts: { aggression: 2 }, share: 0.5 },
    { rule: "counts a second at least", ageMs: 0, facts: { leastShare: 0 }, share: 0.01 },
    { rule: "is the least before its time", ageMs: -5_000, facts: {}, share: 0.1 },
  ])("$rule", ({ ageMs, facts, share }) => {
    expect(shareOf(NOON - ageMs, NOON, { ...slowStart, ...facts })).toBeCloseTo(share, 12);
  });
});
