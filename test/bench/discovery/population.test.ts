import { describe, expect, test } from "vitest";
import { chanceOf } from "../../support/chance.ts";
import { agentId, agentOf, numberOf } from "./population.ts";
import { Census, isAble, PICKED, SEARCHED } from "./wanted.ts";
import { zipfOver } from "./zipf.ts";

const SOME = 5_000;
const agents = Array.from({ length: SOME }, (_, nth) => agentOf(nth));

test("Zipf's rank r comes up with a likelihood in proportion to 1 / (r + 1)", () => {
  const zipf = zipfOver(3);
  const chance = chanceOf(1);
  const drawn = Array.from({ length: 11_000 }, () => zipf(chance));

  // 6 : 3 : 2.
  for (const [rank, share] of [6, 3, 2].entries()) {
    const count = drawn.filter((one) => one === rank).length;
    expect(count / drawn.length).toBeCloseTo(share / 11, 1);
  }
});

describe("the population", () => {
  test("is the same each time", () => {
    expect(agentOf(4_711)).toEqual(agentOf(4_711));
    expect(agentOf(4_711)).not.toEqual(agentOf(4_712));
  });

  test("has 1 to 10 capabilities an agent, each once", () => {
    const sizes = new Set(agents.map(({ skills }) => skills.length));

    expect([...sizes].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const { skills } of agents) expect(new Set(skills).size).toBe(skills.length);
  });

  test("holds the most common capability in large part, and rare ones all the same", () => {
    const holders = (rank: number) => agents.filter(({ skills }) => skills.includes(rank)).length;

    expect(holders(0) / SOME).toBeGreaterThan(0.3);
    expect(holders(99)).toBeGreaterThan(0);
    expect(holders(99)).toBeLessThan(holders(9));
  });

  test("is known by its ids", () => {
    expect(numberOf(agentId(42))).toBe(42);
    expect(numberOf("probe-1")).toBeUndefined();
  });

  test("is counted for each filter of the load", () => {
    const census = new Census();
    for (const agent of agents) census.add(agent);

    expect(census.size).toBe(SOME);
    for (const wanted of [...PICKED, ...SEARCHED]) {
      expect(census.able(wanted)).toBe(agents.filter((agent) => isAble(agent, wanted)).length);
      expect(census.able(wanted)).toBeGreaterThan(0);
    }
  });
});
