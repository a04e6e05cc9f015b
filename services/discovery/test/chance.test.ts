import { describe, expect, test } from "vitest";
import type { Strategy } from "../src/choice.ts";
import type { Listing } from "../src/listing.ts";
import { aDesk } from "./support/desk.ts";
import { aFilter, aListing, LOOKING, NOON_MS } from "./support/listing.ts";
import { areAsLikely, seeded } from "./support/random.ts";

const sure = (ppm: number) => new Map([["python", ppm]]);
const TIMES = 4_000;

/** So many agents `agent-0` and on. */
function agents(count: number, facts: (nth: number) => Partial<Listing>): readonly Listing[] {
  return Array.from({ length: count }, (_, nth) =>
    aListing({ agentId: `agent-${nth}`, ...facts(nth) }),
  );
}

describe("WEIGHTED", () => {
  // 4 are looked at one by one, of 200 some are tried.
  test.each([4, 200])(
    "picks each of %i agents with a chance in proportion to its reliability",
    async (count) => {
      const ppm = (nth: number) => 200_000 * (1 + (nth % 4));
      const listings = agents(count, (nth) => ({ reliabilityPpm: sure(ppm(nth)) }));
      const sum = listings.reduce((all, _, nth) => all + ppm(nth), 0);

      const counts = await aDesk(seeded(1)).count(listings, { strategy: "WEIGHTED" }, TIMES);

      const chances = listings.map((_, nth) => ppm(nth) / sum);
      expect(areAsLikely(Object.values(counts), chances)).toBe(true);
    },
  );

  test("says so", async () => {
    const { reason } = await aDesk().select(
      agents(2, () => ({})),
      { strategy: "WEIGHTED" },
    );

    expect(reason).toBe("WEIGHTED: one of 2 eligible agents, by its reliability");
  });
});

describe("POWER_OF_TWO", () => {
  test("picks the less loaded of two that are drawn, each as likely", async () => {
    // Far apart, so that picks do not change who is less loaded.
    const listings = agents(4, (nth) => ({ inFlight: nth * 100_000 }));

    const counts = await aDesk(seeded(2)).count(listings, { strategy: "POWER_OF_TWO" }, TIMES);

    expect(counts["agent-3"]).toBe(0);
    const rest = Object.values(counts).slice(0, 3);
    expect(areAsLikely(rest, [3 / 6, 2 / 6, 1 / 6])).toBe(true);
  });

  test("names the other one first among the alternates, and the load in the reason", async () => {
    const listings = agents(2, (nth) => ({ inFlight: 7 - nth }));

    const selected = await aDesk(seeded(3)).select(listings, {
      strategy: "POWER_OF_TWO",
      alternates: 3,
    });

    expect(selected.chosen.agentId).toBe("agent-1");
    expect(selected.alternates.map(({ agentId }) => agentId)).toEqual(["agent-0"]);
    expect(selected.reason).toBe(
      "POWER_OF_TWO: the less loaded of two of 2 eligible agents: 6 in flight",
    );
  });
});

describe("slow start", () => {
  const slowStart = { windowMs: 100_000, aggression: 1, leastShare: 0.1 };
  const newcomer = { createdMs: NOON_MS - 25_000 };

  test.each<Strategy>(["RANDOM", "WEIGHTED", "POWER_OF_TWO"])(
    "%s draws a newcomer with the chance of its share",
    async (strategy) => {
      // Equal in reliability; all as loaded, as nothing is in flight and each report is later than any pick.
      const listings = agents(200, (nth) => ({
        reliabilityPpm: sure(800_000),
        reportedMs: Infinity,
        ...(nth < 100 && newcomer),
      }));

      const counts = await aDesk(seeded(4)).count(listings, { strategy, slowStart }, TIMES);

      const ofNew = Object.values(counts)
        .slice(0, 100)
        .reduce((sum, count) => sum + count, 0);
      // A quarter of a share against a whole one.
      expect(areAsLikely([ofNew, TIMES - ofNew], [1 / 5, 4 / 5])).toBe(true);
    },
  );

  test("LEAST_LOADED keeps a newcomer that comes first with the chance of its share only", async () => {
    const listings = [
      aListing({ agentId: "new", reportedMs: Infinity, ...newcomer }),
      aListing({ agentId: "old", reportedMs: Infinity, inFlight: 5 }),
    ];
    const facts = { strategy: "LEAST_LOADED", slowStart } as const;

    const counts = await aDesk(seeded(5)).count(listings, facts, TIMES);

    expect(areAsLikely([counts["new"] ?? 0, counts["old"] ?? 0], [1 / 4, 3 / 4])).toBe(true);
  });

  test("LEAST_LOADED says whom it passed over, and names it as an alternate", async () => {
    const listings = [
      aListing({ agentId: "new", ...newcomer }),
      aListing({ agentId: "old", inFlight: 5 }),
    ];

    const selected = await aDesk(() => 0.9).select(listings, {
      strategy: "LEAST_LOADED",
      slowStart,
      alternates: 1,
    });

    expect(selected.chosen.agentId).toBe("old");
    expect(selected.alternates.map(({ agentId }) => agentId)).toEqual(["new"]);
    expect(selected.reason).toContain("1 newcomers passed over");
  });

  test("LEAST_LOADED picks the least loaded where all are new", async () => {
    const listings = agents(40, (nth) => ({ inFlight: nth, ...newcomer }));

    const selected = await aDesk(() => 0.9).select(listings, {
      strategy: "LEAST_LOADED",
      slowStart,
    });

    expect(selected.chosen.agentId).toBe("agent-0");
  });
});

describe("exploration", () => {
  const proven = (nth: number) => (nth < 4 ? {} : { reliabilityPpm: sure(900_000) });

  test.each(LOOKING)(
    "picks an agent without a record with the chance of its share, each as likely, %s",
    async (looking) => {
      const listings = agents(10, proven);
      const facts = { strategy: "BEST", explorationShare: 0.2 } as const;

      const counts = Object.values(await aDesk(seeded(6), looking).count(listings, facts, TIMES));

      const explored = counts.slice(0, 4);
      const others = TIMES - explored.reduce((sum, count) => sum + count, 0);
      expect(areAsLikely([...explored, others], [0.05, 0.05, 0.05, 0.05, 0.8])).toBe(true);
    },
  );

  test("takes no turn, says so, and names the most reliable as alternates", async () => {
    const desk = aDesk(() => 0);
    const listings = agents(6, (nth) => ({
      reliabilityPpm: nth === 0 ? new Map() : sure(100_000 * nth),
    }));
    const before = await desk.select(listings);

    const selected = await desk.select(listings, { explorationShare: 0.5, alternates: 2 });

    expect(selected.chosen.agentId).toBe("agent-0");
    expect(selected.alternates.map(({ agentId }) => agentId)).toEqual(["agent-5", "agent-4"]);
    expect(selected.reason).toBe(
      "ROUND_ROBIN: EXPLORATION: one of 1 without a record, of 6 eligible agents",
    );
    expect([before, await desk.select(listings)].map(({ chosen }) => chosen.agentId)).toEqual([
      "agent-0",
      "agent-1",
    ]);
  });

  test.each([
    { rule: "all have a record", listings: agents(3, () => ({ reliabilityPpm: sure(500_000) })) },
    { rule: "nobody has one", listings: agents(3, () => ({})) },
    {
      rule: "those without one are excluded",
      listings: agents(3, (nth) => (nth > 0 ? { reliabilityPpm: sure(500_000) } : {})),
      excluded: new Set(["agent-0"]),
    },
  ])("leaves the pick to the strategy where $rule", async ({ listings, ...facts }) => {
    const selected = await aDesk(() => 0).select(listings, { explorationShare: 1, ...facts });

    expect(selected.reason).toMatch(/^ROUND_ROBIN: next in turn/);
  });
});

describe("the panic threshold", () => {
  const filter = aFilter({ capabilities: ["python"], states: ["ONLINE"] });
  const online = (count: number) =>
    agents(10, (nth) => ({ state: nth < count ? "ONLINE" : "OFFLINE" }));

  test("makes all agents candidates when too few are available, and says so", async () => {
    const desk = aDesk();
    const facts = { filter, strategy: "CHEAPEST", panicThreshold: 0.5 } as const;

    const selected = await desk.select(online(4), facts);

    expect(selected.eligibleCount).toBe(10);
    expect(selected.reason).toContain("PANIC: only 4 of 10 are available");
  });

  test.each([
    { rule: "at the threshold", count: 5, panicThreshold: 0.5 },
    { rule: "unless it is asked for", count: 1, panicThreshold: 0 },
  ])("leaves out who is not available $rule", async ({ count, panicThreshold }) => {
    const selected = await aDesk().select(online(count), { filter, panicThreshold });

    expect(selected.eligibleCount).toBe(count);
    expect(selected.reason).not.toContain("PANIC");
  });

  test("looks at the agents that pass all else, and at none that is excluded", async () => {
    const others = agents(10, (nth) => ({ agentId: `rust-${nth}`, capabilities: ["rust"] }));
    const excluded = new Set(["agent-0", "agent-1"]);

    const selected = await aDesk().select([...online(4), ...others], {
      filter,
      excluded,
      panicThreshold: 0.3,
    });

    // 2 of 8, which were 4 of 10.
    expect(selected.reason).toContain("PANIC: only 2 of 8 are available");
    expect(selected.eligibleCount).toBe(8);
  });

  test("leaves out whose breaker is open", async () => {
    const breakers = new Map([["python", "OPEN"] as const]);
    const listings = [...online(1), aListing({ agentId: "broken", state: "BUSY", breakers })];

    const selected = await aDesk().select(listings, {
      filter,
      panicThreshold: 0.5,
      alternates: 10,
    });

    expect(selected.reason).toContain("PANIC: only 1 of 10 are available");
    expect(selected.alternates.map(({ agentId }) => agentId)).not.toContain("broken");
  });

  test("brings no OFFLINE agent into LEAST_LOADED", async () => {
    const listings = [...online(1), aListing({ agentId: "busy", state: "BUSY", inFlight: 3 })];

    const selected = await aDesk().select(listings, {
      filter,
      strategy: "LEAST_LOADED",
      panicThreshold: 0.9,
      alternates: 10,
    });

    expect(selected.eligibleCount).toBe(2);
    expect(selected.alternates.map(({ agentId }) => agentId)).toEqual(["busy"]);
  });
});
