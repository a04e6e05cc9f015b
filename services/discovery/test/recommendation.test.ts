import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Listing } from "../src/listing.ts";
import { createMemoryRotation } from "../src/memory.ts";
import { type Recommendation, recommend } from "../src/recommendation.ts";
import { aListing, openMarket, someListings } from "./support/listing.ts";

const sure = (ppm: number) => new Map([["python", ppm]]);

/** Recommends over a market that may change from one call to the next; answers with ids. */
function aDesk() {
  const rotation = createMemoryRotation();
  const { market, settle } = openMarket("kept");
  return async (listings: readonly Listing[], asked: Partial<Recommendation> = {}) => {
    settle(listings);
    return await recommend(
      { market, read: (slot) => market.agents.idOf(slot), rotation },
      { capability: "python", count: 3, includeBusy: false, ...asked },
    );
  };
}

describe("a recommendation", () => {
  test("names the most reliable first", async () => {
    const listings = [
      aListing({ agentId: "a", reliabilityPpm: sure(500_000) }),
      aListing({ agentId: "b", reliabilityPpm: sure(900_000) }),
      aListing({ agentId: "c", reliabilityPpm: sure(700_000) }),
      aListing({ agentId: "d", reliabilityPpm: sure(800_000) }),
    ];

    expect(await aDesk()(listings)).toEqual(["b", "d", "c"]);
  });

  test("lets equals take turns, newcomers too, and never a leaver", async () => {
    const desk = aDesk();
    const named = (...ids: string[]) => ids.map((agentId) => aListing({ agentId }));

    const calls = [
      await desk(named("a", "b", "d"), { count: 1 }),
      await desk(named("a", "b", "c", "d"), { count: 2 }),
      await desk(named("a", "b", "c"), { count: 1 }),
    ];

    expect(calls).toEqual([["a"], ["b", "c"], ["a"]]);
  });

  test("begins one further on each time when all equals are named", async () => {
    const desk = aDesk();
    const listings = ["a", "b", "c"].map((agentId) => aListing({ agentId }));

    const calls = [await desk(listings), await desk(listings), await desk(listings)];

    expect(calls).toEqual([
      ["a", "b", "c"],
      ["b", "c", "a"],
      ["c", "a", "b"],
    ]);
  });

  test("names BUSY agents only when asked, and after all that are ONLINE", async () => {
    const listings = [
      aListing({ agentId: "busy", state: "BUSY", reliabilityPpm: sure(999_999) }),
      aListing({ agentId: "free" }),
      aListing({ agentId: "off", state: "OFFLINE", reliabilityPpm: sure(999_999) }),
    ];

    expect(await aDesk()(listings)).toEqual(["free"]);
    expect(await aDesk()(listings, { includeBusy: true })).toEqual(["free", "busy"]);
  });

  test("refuses when nobody can be named, with counts", async () => {
    const listings = [aListing({ state: "BUSY" }), aListing({ agentId: "b", capabilities: [] })];

    await expect(aDesk()(listings)).rejects.toMatchObject({
      reason: "NO_ELIGIBLE_AGENTS",
      metadata: { total: "2", missing_capability: "1", not_available: "1" },
    });
  });

  test("never puts a less reliable agent before a more reliable one, whoever's turn it is", async () => {
    await fc.assert(
      fc.asyncProperty(someListings, fc.integer({ min: 1, max: 5 }), async (some, count) => {
        const listings = some.map((listing) => ({
          ...listing,
          capabilities: ["python"],
          state: "ONLINE" as const,
          leaseEndMs: Infinity,
          breakers: new Map(),
        }));
        if (listings.length === 0) return;
        const desk = aDesk();
        await desk(listings, { count });

        const found = await desk(listings, { count });

        const bounds = found.map((agentId) => {
          const listing = listings.find((each) => each.agentId === agentId);
          return listing?.reliabilityPpm.get("python") ?? 0;
        });
        expect(found).toHaveLength(Math.min(count, listings.length));
        expect(new Set(found).size).toBe(found.length);
        const proven = bounds.filter((bound) => bound > 0);
        expect(proven).toEqual([...proven].sort((a, b) => b - a));
      }),
    );
  });
});
