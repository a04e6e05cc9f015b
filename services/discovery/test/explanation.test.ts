import { describe, expect, test } from "vitest";
import type { Strategy } from "../src/choice.ts";
import type { Listing } from "../src/listing.ts";
import { UNPROVEN_PPM } from "../src/reliability.ts";
import { aDesk } from "./support/desk.ts";
import { aFilter, aListing, eur, LOOKING, NOON_MS } from "./support/listing.ts";
import { areAsLikely, seeded } from "./support/random.ts";

const sure = (ppm: number) => new Map([["python", ppm]]);
const STRATEGIES: readonly Strategy[] = ["LEAST_LOADED", "CHEAPEST", "BEST", "FASTEST"];
const LISTINGS: readonly Listing[] = [
  aListing({ agentId: "a", inFlight: 2, reliabilityPpm: sure(800_000), price: eur(300) }),
  aListing({ agentId: "b", inFlight: 0, reliabilityPpm: sure(200_000), price: eur(100) }),
  aListing({ agentId: "c", inFlight: 2, price: eur(200), p95LatencyMs: 10 }),
  aListing({ agentId: "d", inFlight: 5, reliabilityPpm: sure(900_000), p95LatencyMs: 90 }),
];

describe("an explanation", () => {
  test.each(STRATEGIES)(
    "of %s names first whom it would pick, then the alternates",
    async (strategy) => {
      const desk = aDesk();

      const explained = await desk.explain(LISTINGS, { strategy });
      const selected = await desk.select(LISTINGS, { strategy, alternates: 9 });

      const named = [selected.chosen, ...selected.alternates].map(({ agentId }) => agentId);
      expect(explained.candidates.map(({ agentId }) => agentId)).toEqual(named);
      expect(explained.candidates.every(({ chance }) => chance === undefined)).toBe(true);
    },
  );

  test("of ROUND_ROBIN names the agents in the order of their turns, and takes none", async () => {
    const desk = aDesk();
    await desk.select(LISTINGS);

    const first = await desk.explain(LISTINGS);
    const again = await desk.explain(LISTINGS);
    const selected = await desk.select(LISTINGS);

    expect(first.candidates.map(({ agentId }) => agentId)).toEqual(["b", "c", "d", "a"]);
    expect(again).toEqual(first);
    expect(selected.chosen.agentId).toBe("b");
  });

  test("counts nothing as a pick", async () => {
    const desk = aDesk();

    await desk.explain(LISTINGS, { strategy: "LEAST_LOADED" });

    const { candidates } = await desk.explain(LISTINGS, { strategy: "LEAST_LOADED" });
    expect(candidates.map(({ recentPicks }) => recentPicks)).toEqual([0, 0, 0, 0]);
  });

  test.each<{ strategy: Strategy; facts?: object }>([
    { strategy: "RANDOM" },
    { strategy: "WEIGHTED" },
    { strategy: "POWER_OF_TWO" },
    { strategy: "POWER_OF_TWO", facts: { excluded: new Set(["b"]) } },
    {
      strategy: "WEIGHTED",
      facts: { slowStart: { windowMs: 100_000, aggression: 1, leastShare: 0.1 } },
    },
  ])("of $strategy tells the chance of each agent, $facts", async ({ strategy, facts }) => {
    const desk = aDesk(seeded(8));
    const listings = LISTINGS.map((listing) => ({
      ...listing,
      reportedMs: Infinity,
      createdMs: NOON_MS - 20_000 * listing.inFlight,
    }));

    const { candidates } = await desk.explain(listings, { strategy, ...facts });
    const counts = await desk.count(listings, { strategy, ...facts }, 4_000);

    const chances = candidates.map(({ chance }) => chance ?? 0);
    expect(chances.reduce((sum, chance) => sum + chance)).toBeCloseTo(1, 9);
    const likely = candidates.filter(({ chance }) => chance !== 0);
    expect(
      areAsLikely(
        likely.map(({ agentId }) => counts[agentId] ?? 0),
        likely.map(({ chance }) => chance ?? 0),
      ),
    ).toBe(true);
  });

  test("tells the parts that were looked at", async () => {
    const slowStart = { windowMs: 100_000, aggression: 1, leastShare: 0.1 };
    const listing = aListing({ inFlight: 3, createdMs: NOON_MS - 50_000 });
    const desk = aDesk();
    await desk.select([listing]);

    const { candidates } = await desk.explain([listing], { strategy: "RANDOM", slowStart });

    expect(candidates).toEqual([
      {
        agentId: "ada",
        state: "ONLINE",
        scorePpm: 0,
        p95LatencyMs: undefined,
        capacityPerHour: 30,
        load: 4,
        recentPicks: 1,
        reliabilityPpm: UNPROVEN_PPM,
        share: 0.5,
        chance: 1,
      },
    ]);
  });

  test.each(LOOKING)(
    "counts who was kept out by what, summing to all agents, %s",
    async (looking) => {
      const listings = [
        ...LISTINGS,
        aListing({ agentId: "off", state: "OFFLINE" }),
        aListing({ agentId: "rust", capabilities: ["rust"] }),
      ];
      const filter = aFilter({ capabilities: ["python"], states: ["ONLINE"], maxCost: eur(200) });

      const explained = await aDesk(() => 0, looking).explain(listings, {
        filter,
        excluded: new Set(["c"]),
      });

      expect(explained.candidates.map(({ agentId }) => agentId)).toEqual(["b"]);
      expect(explained.counts).toEqual({
        total: 6,
        missing_capability: 1,
        excluded: 1,
        unpriced: 2,
        over_max_cost: 1,
      });
    },
  );

  test("of a selection that would be refused says why", async () => {
    const filter = aFilter({ capabilities: ["cobol"] });

    const explained = await aDesk().explain(LISTINGS, { filter });

    expect(explained).toMatchObject({ candidates: [], eligibleCount: 0, unprovenCount: 0 });
    expect(explained.reason).toBe("none of 4 agents passes the filter: 4 missing_capability");
  });

  test("tells of a panic, and whom exploration may pick", async () => {
    const listings = LISTINGS.map((listing) =>
      listing.agentId === "a" ? listing : { ...listing, state: "BUSY" as const },
    );
    const filter = aFilter({ capabilities: ["python"], states: ["ONLINE"] });

    const explained = await aDesk().explain(listings, { filter, panicThreshold: 0.5 });

    expect(explained).toMatchObject({ isPanic: true, eligibleCount: 4, unprovenCount: 1 });
    expect(explained.reason).toBe(
      "ROUND_ROBIN: next in turn of 4 eligible agents; PANIC: only 1 of 4 are available, so all are candidates",
    );
  });
});
