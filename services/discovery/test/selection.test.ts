import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Strategy } from "../src/choice.ts";
import type { Filter } from "../src/filter.ts";
import type { Listing } from "../src/listing.ts";
import { aDesk } from "./support/desk.ts";
import {
  aFilter,
  aListing,
  eur,
  LOOKING,
  type Looking,
  someFilter,
  someListings,
} from "./support/listing.ts";
import { isPassing } from "./support/model.ts";

const STRATEGIES = [
  "ROUND_ROBIN",
  "LEAST_LOADED",
  "RANDOM",
  "CHEAPEST",
  "BEST",
  "WEIGHTED",
  "POWER_OF_TWO",
  "FASTEST",
] as const;
const someStrategy = fc.constantFrom<Strategy>(...STRATEGIES);
const sure = (ppm: number) => new Map([["python", ppm]]);

/** What LEAST_LOADED makes of a filter, which then asks for states, so that an open breaker counts as well. */
function exceptOffline(filter: Filter): Filter {
  const states = filter.states ?? ["ONLINE", "BUSY", "MAINTENANCE"];
  return { ...filter, states: states.filter((state) => state !== "OFFLINE") };
}

async function picked(listings: readonly Listing[], strategy: Strategy, times: number) {
  const desk = aDesk();
  const ids: string[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    ids.push((await desk.select(listings, { strategy })).chosen.agentId);
  }
  return ids;
}

function named(...ids: readonly string[]): readonly Listing[] {
  return ids.map((agentId) => aListing({ agentId }));
}

describe("any strategy", () => {
  test("names only agents that pass, each once, and as many alternates as there are", async () => {
    const bounds = fc.record({
      alternates: fc.nat(4),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
      looking: fc.constantFrom<Looking>(...LOOKING),
    });
    await fc.assert(
      fc.asyncProperty(
        someListings,
        someFilter,
        someStrategy,
        bounds,
        async (some, filter, strategy, { alternates, random, looking }) => {
          // Who has to be tried is no alternate, which is told where trials are.
          const listings = some.map((listing) => ({
            ...listing,
            breakers: new Map([...listing.breakers].filter(([, state]) => state === "OPEN")),
          }));
          const excluded = new Set(listings.slice(0, 1).map(({ agentId }) => agentId));
          const wanted = strategy === "LEAST_LOADED" ? exceptOffline(filter) : filter;
          const passing = listings.filter(
            (listing) => !excluded.has(listing.agentId) && isPassing(listing, wanted),
          );
          const asked = { filter, strategy, alternates, excluded };
          const desk = aDesk(() => random, looking);
          await desk.select(listings, asked).catch(() => {});
          const selecting = desk.select(listings, asked);
          if (passing.length === 0) {
            await expect(selecting).rejects.toMatchObject({ reason: "NO_ELIGIBLE_AGENTS" });
            return;
          }

          const selected = await selecting;

          const all = [selected.chosen, ...selected.alternates];
          expect(passing).toEqual(expect.arrayContaining(all));
          expect(new Set(all).size).toBe(all.length);
          expect(all).toHaveLength(Math.min(alternates + 1, passing.length));
          if (!selected.isEstimate) expect(selected.eligibleCount).toBe(passing.length);
          expect(selected.isEstimate && looking !== "many").toBe(false);
          expect(selected.reason.startsWith(`${strategy}: `)).toBe(true);
        },
      ),
    );
  });

  test.each(STRATEGIES)("%s refuses with counts of who was kept out by what", async (strategy) => {
    const listings = [
      aListing({ agentId: "a", state: "BUSY" }),
      aListing({ agentId: "b", capabilities: ["rust"] }),
      aListing({ agentId: "c" }),
    ];
    const filter = aFilter({ capabilities: ["python"], states: ["ONLINE"] });

    const selecting = aDesk().select(listings, { strategy, filter, excluded: new Set(["c"]) });

    await expect(selecting).rejects.toMatchObject({
      reason: "NO_ELIGIBLE_AGENTS",
      metadata: { total: "3", missing_capability: "1", not_available: "1", excluded: "1" },
    });
  });
});

describe("ROUND_ROBIN", () => {
  test("goes round by id, and names as alternates those whose turn is next", async () => {
    const desk = aDesk(() => 0.5);
    const listings = named("c", "a", "d", "b");

    const first = await desk.select(listings, { alternates: 2 });
    const second = await desk.select(listings, { alternates: 10 });

    expect(first.chosen.agentId).toBe("c");
    expect(first.alternates.map(({ agentId }) => agentId)).toEqual(["d", "a"]);
    expect(second.chosen.agentId).toBe("d");
    expect(second.alternates.map(({ agentId }) => agentId)).toEqual(["a", "b", "c"]);
  });

  test("begins anywhere, so that many short rotations do not all pick the same agent", async () => {
    const begun = await aDesk(() => 0.99).select(named("a", "b", "c"));

    expect(begun.chosen.agentId).toBe("c");
  });

  test("gives any two agents that stay turns that differ by at most one, whoever comes and goes", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const stayers = fc.subarray(names, { minLength: 2 });
    const rounds = fc.array(fc.subarray(names), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(stayers, rounds, async (stay, others) => {
        const desk = aDesk();
        const turns = new Map(stay.map((name) => [name, 0]));

        for (const guests of others) {
          const present = [...new Set([...stay, ...guests])];
          const { agentId } = (await desk.select(named(...present))).chosen;
          if (turns.has(agentId)) turns.set(agentId, (turns.get(agentId) ?? 0) + 1);

          const counts = [...turns.values()];
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("lets a newcomer in within one round and drops a leaver at once", async () => {
    const desk = aDesk();
    await desk.select(named("a", "c"));

    const then: string[] = [];
    for (const present of [named("a", "b", "c"), named("a", "b"), named("a", "b")]) {
      then.push((await desk.select(present)).chosen.agentId);
    }

    expect(then).toEqual(["b", "a", "b"]);
  });

  test("goes round for each filter by itself", async () => {
    const desk = aDesk();
    const listings = named("a", "b");
    const other = { filter: aFilter({ capabilities: ["python"], states: ["ONLINE"] }) };

    const picks = [
      (await desk.select(listings)).chosen.agentId,
      (await desk.select(listings, other)).chosen.agentId,
      (await desk.select(listings)).chosen.agentId,
      (await desk.select(listings, other)).chosen.agentId,
    ];

    expect(picks).toEqual(["a", "a", "b", "b"]);
  });

  test("skips who is excluded and goes on from there", async () => {
    const desk = aDesk();
    const listings = named("a", "b", "c");
    await desk.select(listings);

    const retried = await desk.select(listings, { excluded: new Set(["b"]) });

    expect(retried.chosen.agentId).toBe("c");
  });
});

describe("LEAST_LOADED", () => {
  interface Case {
    readonly rule: string;
    readonly listings: readonly Listing[];
  }
  test.each<Case>([
    {
      rule: "fewest in flight first, whatever it costs",
      listings: [
        aListing({ agentId: "x", inFlight: 1, price: eur(1), reliabilityPpm: sure(999_999) }),
        aListing({ agentId: "winner", inFlight: 0, price: eur(900) }),
      ],
    },
    {
      rule: "then the cheaper",
      listings: [
        aListing({ agentId: "x", price: eur(200), reliabilityPpm: sure(999_999) }),
        aListing({ agentId: "winner", price: eur(100) }),
      ],
    },
    {
      rule: "then the more reliable",
      listings: [
        aListing({ agentId: "a", price: eur(100), reliabilityPpm: sure(400_000) }),
        aListing({ agentId: "winner", price: eur(100), reliabilityPpm: sure(500_000) }),
      ],
    },
    {
      rule: "never one that is OFFLINE",
      listings: [
        aListing({ agentId: "a", state: "OFFLINE" }),
        aListing({ agentId: "winner", inFlight: 9 }),
      ],
    },
  ])("picks $rule", async ({ listings }) => {
    const selected = await aDesk().select(listings, { strategy: "LEAST_LOADED" });

    expect(selected.chosen.agentId).toBe("winner");
  });

  test("lets nobody pass a filter for OFFLINE agents only", async () => {
    const filter = aFilter({ states: ["OFFLINE"] });

    const selecting = aDesk().select([aListing({ state: "OFFLINE" })], {
      strategy: "LEAST_LOADED",
      filter,
    });

    await expect(selecting).rejects.toMatchObject({ metadata: { not_available: "1" } });
  });

  test("counts its own picks until the agent reports, so that it does not flood the idle one", async () => {
    expect(await picked(named("a", "b", "c"), "LEAST_LOADED", 6)).toEqual([
      "a",
      "b",
      "c",
      "a",
      "b",
      "c",
    ]);
  });

  test("takes the agent's word for what was under way when it reported", async () => {
    const desk = aDesk();
    const strategy = "LEAST_LOADED";
    await desk.select(named("a"), { strategy });
    desk.clock.nowMs += 1_000;

    const reported = aListing({ agentId: "a", inFlight: 1, reportedMs: desk.clock.nowMs });
    const other = aListing({ agentId: "b", inFlight: 2 });
    const selected = await desk.select([reported, other], { strategy });

    expect(selected.chosen.agentId).toBe("a");
    expect(selected.reason).toContain("1 in flight, 1 recent picks");
  });

  test("prefers among equally loaded agents the one that was picked less in the last minute", async () => {
    const desk = aDesk();
    const strategy = "LEAST_LOADED";
    await desk.select(named("a"), { strategy });
    desk.clock.nowMs += 1_000;
    const idle = { inFlight: 0, reportedMs: desk.clock.nowMs };
    const both = [
      aListing({ agentId: "a", price: eur(100), ...idle }),
      aListing({ agentId: "b", price: eur(900), ...idle }),
    ];

    const recent = await desk.select(both, { strategy });
    desk.clock.nowMs += 61_000;
    const later = await desk.select(both, { strategy });

    expect(recent.chosen.agentId).toBe("b");
    expect(later.chosen.agentId).toBe("a");
  });
});

describe("RANDOM", () => {
  test("draws each agent about equally often", async () => {
    let seed = 42;
    const desk = aDesk(() => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    });
    const turns = new Map<string, number>();

    for (let turn = 0; turn < 3_000; turn += 1) {
      const { agentId } = (await desk.select(named("a", "b", "c"), { strategy: "RANDOM" })).chosen;
      turns.set(agentId, (turns.get(agentId) ?? 0) + 1);
    }

    for (const count of turns.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe("CHEAPEST", () => {
  test("picks the lowest price; among equals the most reliable", async () => {
    const listings = [
      aListing({ agentId: "unpriced", reliabilityPpm: sure(999_999) }),
      aListing({ agentId: "a", price: eur(100), reliabilityPpm: sure(400_000) }),
      aListing({ agentId: "b", price: eur(100), reliabilityPpm: sure(500_000) }),
      aListing({ agentId: "c", price: eur(101), reliabilityPpm: sure(999_999) }),
    ];

    const selected = await aDesk().select(listings, { strategy: "CHEAPEST", alternates: 3 });

    const order = [selected.chosen, ...selected.alternates].map(({ agentId }) => agentId);
    expect(order).toEqual(["b", "a", "c", "unpriced"]);
    expect(selected.reason).toBe("CHEAPEST: cheapest of 4 eligible agents: €1.00 per task");
  });

  test("compares in the currency that most agents ask when the filter names none", async () => {
    const listings = [
      aListing({ agentId: "sat", price: { micros: 1n, currency: "SAT" } }),
      aListing({ agentId: "a", price: eur(300) }),
      aListing({ agentId: "b", price: eur(200) }),
    ];

    const selected = await aDesk().select(listings, { strategy: "CHEAPEST" });

    expect(selected.chosen.agentId).toBe("b");
  });

  test("spreads over agents that are equal in all", async () => {
    expect(await picked(named("a", "b"), "CHEAPEST", 4)).toEqual(["a", "b", "a", "b"]);
  });
});

describe("BEST", () => {
  test("picks the most reliable; among equals the cheapest", async () => {
    const listings = [
      aListing({ agentId: "a", price: eur(100), reliabilityPpm: sure(400_000) }),
      aListing({ agentId: "b", price: eur(300), reliabilityPpm: sure(500_000) }),
      aListing({ agentId: "c", price: eur(200), reliabilityPpm: sure(500_000) }),
    ];

    const selected = await aDesk().select(listings, { strategy: "BEST", alternates: 2 });

    const order = [selected.chosen, ...selected.alternates].map(({ agentId }) => agentId);
    expect(order).toEqual(["c", "b", "a"]);
    expect(selected.reason).toContain("at least 50.0%");
  });
});

describe("FASTEST", () => {
  test("picks the lowest promised p95; among equals the most reliable; who promises none comes last", async () => {
    const listings = [
      aListing({ agentId: "none", reliabilityPpm: sure(999_999) }),
      aListing({ agentId: "a", p95LatencyMs: 900, reliabilityPpm: sure(999_999) }),
      aListing({ agentId: "b", p95LatencyMs: 500, reliabilityPpm: sure(400_000) }),
      aListing({ agentId: "c", p95LatencyMs: 500, reliabilityPpm: sure(500_000) }),
    ];

    const selected = await aDesk().select(listings, { strategy: "FASTEST", alternates: 3 });

    const order = [selected.chosen, ...selected.alternates].map(({ agentId }) => agentId);
    expect(order).toEqual(["c", "b", "a", "none"]);
    expect(selected.reason).toBe("FASTEST: fastest of 4 eligible agents: p95 within 500 ms");
  });

  test("spreads over agents that are equal in all", async () => {
    expect(await picked(named("a", "b"), "FASTEST", 4)).toEqual(["a", "b", "a", "b"]);
  });
});
