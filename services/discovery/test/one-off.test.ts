import { describe, expect, test } from "vitest";
import type { Strategy } from "../src/choice.ts";
import type { Listing } from "../src/listing.ts";
import { Market } from "../src/market/market.ts";
import { LIMITS } from "../src/market/view-limits.ts";
import { createMemoryRotation } from "../src/memory.ts";
import { search } from "../src/search.ts";
import { type Selection, select } from "../src/selection.ts";
import { aSelection } from "./support/desk.ts";
import { aFilter, aListing, eur, NOON_MS } from "./support/listing.ts";
import { areAsLikely, seeded } from "./support/random.ts";

const AGENTS = 400;
const STRATEGIES = [
  "ROUND_ROBIN",
  "LEAST_LOADED",
  "RANDOM",
  "CHEAPEST",
  "BEST",
  "WEIGHTED",
  "POWER_OF_TWO",
  "FASTEST",
] as const satisfies readonly Strategy[];

/** Asks 1 to 400 cents; half of them are BUSY. */
function agentOf(nth: number, facts: Partial<Listing> = {}): Listing {
  const state = nth % 2 === 0 ? "ONLINE" : "BUSY";
  return aListing({ agentId: `agent-${nth}`, price: eur(nth + 1), state, ...facts });
}

/** A market that is large for its limits, and how many slices of it were looked at: all of it is one. */
function aLargeMarket(
  random = seeded(1),
  facts: (nth: number) => Partial<Listing> = () => ({}),
  looksMax = 1_000,
) {
  const clock = { nowMs: NOON_MS };
  let slices = 0;
  const market = new Market({
    now: () => new Date(clock.nowMs),
    limits: { ...LIMITS, atOnceMax: 10, firstMin: 16, sliceMax: AGENTS, looksMax },
    later(work) {
      slices += 1;
      queueMicrotask(work);
    },
  });
  for (let nth = 0; nth < AGENTS; nth += 1) market.put(nth, agentOf(nth, facts(nth)));
  const parts = {
    market,
    read: (slot: number) => market.agents.idOf(slot),
    rotation: createMemoryRotation(),
    random,
    now: () => new Date(clock.nowMs),
  };
  return {
    market,
    clock,
    slices: () => slices,
    pick: async (facts: Partial<Selection>) => select(parts, aSelection(facts)),
    change: (nth: number) => market.put(nth, agentOf(nth, { ...facts(nth), price: eur(nth + 2) })),
  };
}

/** ONLINE agents below a price, of which there are half as many as cents. */
const below = (cents: number) =>
  aFilter({ capabilities: ["python"], states: ["ONLINE"], maxCost: eur(cents) });

describe("a filter that is asked once", () => {
  test.each(STRATEGIES)("%s picks below its price without a view of its own", async (strategy) => {
    const { market, slices, pick } = aLargeMarket();
    for (const cents of [150, 151]) await pick({ strategy, filter: below(cents) });
    const [views, made] = [market.views.size, slices()];

    for (let cents = 200; cents < 400; cents += 1) {
      const { agentId, eligibleCount } = await pick({ strategy, filter: below(cents) });
      expect(Number(agentId.slice(6)) % 2).toBe(0);
      expect(Number(agentId.slice(6))).toBeLessThan(cents);
      expect(Math.abs(eligibleCount - cents / 2)).toBeLessThan(30);
    }

    expect([market.views.size, slices()]).toEqual([views, made]);
  });

  test.each(["RANDOM", "WEIGHTED"] as const)(
    "%s draws each below its price as likely",
    async (strategy) => {
      // So many others that most ranks are drawn in vain.
      const { pick } = aLargeMarket(seeded(7));
      const counts = new Map<string, number>();
      for (let nth = 0; nth < 4_000; nth += 1) {
        const micros = eur(40).micros + BigInt(nth);
        const filter = { ...below(40), maxCost: { micros, currency: "EUR" } };
        const { agentId } = await pick({ strategy, filter });
        counts.set(agentId, (counts.get(agentId) ?? 0) + 1);
      }

      expect(counts.size).toBe(20);
      expect(
        areAsLikely(
          [...counts.values()],
          Array.from({ length: 20 }, () => 1 / 20),
        ),
      ).toBe(true);
    },
  );

  test("ROUND_ROBIN goes round by its own turns, although it has no view", async () => {
    const { market, pick } = aLargeMarket();
    await pick({ filter: below(390) });
    const views = market.views.size;

    const picked: string[] = [];
    for (let nth = 0; nth < 400; nth += 1)
      picked.push((await pick({ filter: below(400) })).agentId);

    for (const ids of [picked.slice(0, 200), picked.slice(200)])
      expect(new Set(ids).size).toBe(200);
    expect(market.views.size).toBeLessThanOrEqual(views + 1);
  });

  test("is refused when nobody passes, with counts that sum to all, each time anew", async () => {
    const { market, slices, pick, change } = aLargeMarket(seeded(3), () => ({}), 20);
    await pick({ filter: below(300) });
    const made = slices();

    for (let micros = 1n; micros < 100n; micros += 1n) {
      const filter = { ...below(1), maxCost: { micros, currency: "EUR" } };
      const refusal = await pick({ strategy: "BEST", filter }).catch((error: unknown) => error);
      const { total, sampled, ...faults } = (refusal as { metadata: Record<string, string> })
        .metadata;
      expect([total, sampled]).toEqual(["400", "256"]);
      expect(faults).toEqual({ over_max_cost: "400" });
      change(Number(micros));
    }

    expect(slices()).toBe(made);
    expect(market.views.size).toBe(1);
  });

  test("has the view that it had until somebody may pass or fail: picks come and go with each call", async () => {
    const { market, clock, pick, change } = aLargeMarket();
    await pick({ filter: below(300) });
    for (let nth = 0; nth < 20; nth += 1) market.picked(0);
    const view = market.view(below(3));
    expect(view.size).toBe(2);

    market.picked(0);
    expect(market.renew(view)).toBe(view);
    clock.nowMs += 61_000;
    expect(market.renew(view)).toBe(view);

    change(0);
    expect(market.renew(view)).not.toBe(view);
  });

  test("is estimated by its price alone as it is where each agent is looked at", async () => {
    const { market, pick } = aLargeMarket(seeded(1), () => ({ p95LatencyMs: 5 }));
    await pick({ filter: below(300) });

    for (let cents = 20; cents < 420; cents += 1) {
      const { size, isEstimate } = market.view(below(cents));
      expect(isEstimate).toBe(true);
      expect(size).toBe(market.view({ ...below(cents), maxLatencyMs: 1_000 }).size);
    }
  });

  test("is searched page by page, and its last page ends the search", async () => {
    const { market, pick } = aLargeMarket();
    await pick({ filter: below(300) });
    const seen: number[] = [];
    let pageToken = "";

    do {
      const page = search(market, { filter: below(299), order: "COST", pageSize: 40, pageToken });
      seen.push(...page.slots);
      expect(page.isEstimate).toBe(true);
      expect(Math.abs(page.size - 150)).toBeLessThan(30);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");

    expect(seen).toEqual(Array.from({ length: 150 }, (_, nth) => 2 * nth));
    const all = search(market, { filter: below(298), order: "COST", pageSize: 200, pageToken: "" });
    expect(all).toMatchObject({ size: 149, isEstimate: false, nextPageToken: "" });
  });

  test("whose agents come last in an order is answered from a view that similar filters share", async () => {
    // The cheapest are the least reliable.
    const facts = (nth: number) => ({ reliabilityPpm: new Map([["python", 2_000 * nth]]) });
    const { market, slices, pick } = aLargeMarket(seeded(2), facts, 20);
    const limited = aFilter({ capabilities: ["python"], maxCost: eur(100) });
    await pick({ strategy: "BEST", filter: limited });

    for (let micros = 1n; micros < 100n; micros += 1n) {
      const maxCost = { micros: eur(100).micros - micros, currency: "EUR" };
      const { agentId } = await pick({ strategy: "BEST", filter: { ...limited, maxCost } });
      expect(agentId).toBe("agent-98");
    }

    expect(market.views.size).toBeLessThanOrEqual(3);
    expect(slices()).toBeLessThan(20);
  });
});
