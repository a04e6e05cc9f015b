import { describe, expect, test } from "vitest";
import { type Filter, faultOf, hasCapabilities } from "../src/filter.ts";
import type { Listing } from "../src/listing.ts";
import { reliabilityPpm, UNPROVEN_PPM } from "../src/reliability.ts";
import { aFilter, aListing, eur } from "./support/listing.ts";

interface Case {
  readonly filter: Partial<Filter>;
  readonly agent: Partial<Listing>;
  readonly fault: string | undefined;
}

const usd = { micros: 10_000n, currency: "USD" };
const surely = (ppm: number) => new Map([["python", ppm]]);
const python = ["python"];

describe("a filter", () => {
  test.each<Case>([
    { filter: {}, agent: {}, fault: undefined },
    { filter: {}, agent: { state: "OFFLINE" }, fault: undefined },
    { filter: { states: ["ONLINE"] }, agent: { state: "ONLINE" }, fault: undefined },
    { filter: { states: ["ONLINE"] }, agent: { state: "BUSY" }, fault: "not_available" },
    { filter: { states: ["BUSY", "OFFLINE"] }, agent: { state: "BUSY" }, fault: undefined },
    { filter: { states: [] }, agent: { state: "ONLINE" }, fault: "not_available" },
    { filter: { maxCost: eur(250) }, agent: { price: eur(250) }, fault: undefined },
    { filter: { maxCost: eur(250) }, agent: { price: eur(251) }, fault: "over_max_cost" },
    { filter: { maxCost: eur(250) }, agent: { price: usd }, fault: "other_currency" },
    { filter: { maxCost: eur(250) }, agent: {}, fault: "unpriced" },
    { filter: { maxLatencyMs: 20 }, agent: { p95LatencyMs: 20 }, fault: undefined },
    { filter: { maxLatencyMs: 20 }, agent: { p95LatencyMs: 21 }, fault: "over_max_latency" },
    { filter: { maxLatencyMs: 20 }, agent: {}, fault: "over_max_latency" },
    {
      filter: { capabilities: python, minReliabilityPpm: 800_000 },
      agent: { reliabilityPpm: surely(800_000) },
      fault: undefined,
    },
    {
      filter: { capabilities: python, minReliabilityPpm: 800_000 },
      agent: { reliabilityPpm: surely(799_999) },
      fault: "below_min_reliability",
    },
    {
      filter: { capabilities: python, minReliabilityPpm: UNPROVEN_PPM + 1 },
      agent: {},
      fault: "below_min_reliability",
    },
    {
      filter: { labels: { zone: "eu" } },
      agent: { labels: { zone: "eu", x: "y" } },
      fault: undefined,
    },
    {
      filter: { labels: { zone: "eu" } },
      agent: { labels: { zone: "us" } },
      fault: "other_labels",
    },
    { filter: { labels: { zone: "" } }, agent: {}, fault: "other_labels" },
  ])("$filter finds of $agent: $fault", ({ filter, agent, fault }) => {
    expect(faultOf(aListing(agent), aFilter(filter))).toBe(fault);
  });

  test("names the first fault in a fixed order: cost, latency, reliability, labels, state", () => {
    const strict = aFilter({
      maxCost: eur(1),
      maxLatencyMs: 1,
      minReliabilityPpm: 999_999,
      labels: { zone: "eu" },
      states: ["ONLINE"],
    });
    const faults = [
      faultOf(aListing({ state: "BUSY" }), strict),
      faultOf(aListing({ state: "BUSY", price: eur(1) }), strict),
      faultOf(aListing({ state: "BUSY", price: eur(1), p95LatencyMs: 1 }), strict),
    ];

    expect(faults).toEqual(["unpriced", "over_max_latency", "below_min_reliability"]);
  });

  test.each([
    { wanted: [], match: "ALL" as const, has: ["sql"], passes: true },
    { wanted: ["python", "sql"], match: "ALL" as const, has: ["sql", "python"], passes: true },
    { wanted: ["python", "sql"], match: "ALL" as const, has: ["python"], passes: false },
    { wanted: ["python", "sql"], match: "ANY" as const, has: ["python"], passes: true },
    { wanted: ["python", "sql"], match: "ANY" as const, has: ["rust"], passes: false },
  ])("$match of $wanted lets $has pass: $passes", ({ wanted, match, has, passes }) => {
    const listing = aListing({ capabilities: has });

    expect(hasCapabilities(listing, { capabilities: wanted, match })).toBe(passes);
  });
});

describe("the reliability of an agent", () => {
  const listing = aListing({
    capabilities: ["python", "rust", "sql"],
    reliabilityPpm: new Map([
      ["python", 900_000],
      ["rust", 700_000],
      ["go", 999_999],
    ]),
  });

  test.each([
    { wanted: ["python"], match: "ALL" as const, ppm: 900_000 },
    { wanted: ["python", "rust"], match: "ALL" as const, ppm: 700_000 },
    { wanted: ["python", "rust"], match: "ANY" as const, ppm: 900_000 },
    { wanted: ["python", "sql"], match: "ALL" as const, ppm: UNPROVEN_PPM },
    { wanted: [], match: "ALL" as const, ppm: 900_000 },
    { wanted: ["go"], match: "ANY" as const, ppm: UNPROVEN_PPM },
  ])("at $match of $wanted is $ppm ppm", ({ wanted, match, ppm }) => {
    expect(reliabilityPpm(listing, { capabilities: wanted, match })).toBe(ppm);
  });

  test("without a record lies between nothing and a coin toss", () => {
    expect(UNPROVEN_PPM).toBeGreaterThan(0);
    expect(UNPROVEN_PPM).toBeLessThan(500_000);
  });
});
