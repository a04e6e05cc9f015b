import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Filter, filterKey } from "../src/filter.ts";
import type { Listing } from "../src/listing.ts";
import { Ability } from "../src/market/ability.ts";
import { Condition } from "../src/market/condition.ts";
import { UNPROVEN_PPM, type Wanted } from "../src/reliability.ts";
import { aFilter, aListing, eur, mapOf, openMarket, someFilter } from "./support/listing.ts";

interface Case {
  readonly filter: Partial<Filter>;
  readonly agent: Partial<Listing>;
  readonly fault: string | undefined;
}

const usd = { micros: 10_000n, currency: "USD" };
const surely = (ppm: number) => new Map([["python", ppm]]);
const python = ["python"];

function faultOf(listing: Listing, filter: Filter) {
  const { market, put } = openMarket();
  return new Condition(market.agents, filter).faultOf(put(listing));
}

function hasCapabilities(listing: Listing, wanted: Wanted): boolean {
  const { market, put } = openMarket();
  return new Ability(market.agents, wanted).has(put(listing));
}

function reliabilityPpm(listing: Listing, wanted: Wanted): number {
  const { market, put } = openMarket();
  return new Ability(market.agents, wanted).ppm(put(listing));
}

const online = { states: ["ONLINE"] } as const;
const both = { capabilities: ["python", "rust"] };
const open = (...names: string[]) => new Map(names.map((name) => [name, "OPEN"] as const));
/** An agent is called only by those who ask for a state. */
const brokenCases: readonly Case[] = [
  { filter: { capabilities: python }, agent: { breakers: open("python") }, fault: undefined },
  {
    filter: { ...online, capabilities: python },
    agent: { breakers: open("python") },
    fault: "breaker_open",
  },
  {
    filter: { ...online, capabilities: python },
    agent: { breakers: new Map([["python", "HALF_OPEN"]]) },
    fault: undefined,
  },
  {
    filter: { ...online, capabilities: python },
    agent: { ...both, breakers: open("rust") },
    fault: undefined,
  },
  { filter: online, agent: { breakers: open("python") }, fault: undefined },
  {
    filter: { ...online, ...both },
    agent: { ...both, breakers: open("rust") },
    fault: "breaker_open",
  },
  {
    filter: { ...online, ...both, match: "ANY" },
    agent: { ...both, breakers: open("rust") },
    fault: undefined,
  },
  {
    filter: { ...online, ...both, match: "ANY" },
    agent: { breakers: open("python", "rust") },
    fault: "breaker_open",
  },
];

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
      agent: { labels: mapOf({ zone: "eu", x: "y" }) },
      fault: undefined,
    },
    {
      filter: { labels: { zone: "eu" } },
      agent: { labels: mapOf({ zone: "us" }) },
      fault: "other_labels",
    },
    { filter: { labels: { zone: "" } }, agent: {}, fault: "other_labels" },
    { filter: { endpointScheme: "grpc" }, agent: { endpointScheme: "grpc" }, fault: undefined },
    {
      filter: { endpointScheme: "grpc" },
      agent: { endpointScheme: "grpcs", labels: mapOf({ "": "grpc" }) },
      fault: "other_endpoint",
    },
    { filter: { endpointScheme: "grpc" }, agent: {}, fault: "other_endpoint" },
    ...brokenCases,
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

describe("the name of a filter", () => {
  test("is the same exactly for filters that are the same", () => {
    fc.assert(
      fc.property(someFilter, someFilter, (a, b) => {
        const [left, right] = [a, b].map((filter) => ({
          ...filter,
          match: filter.capabilities.length > 1 ? filter.match : "ALL",
        }));
        const same = isDeepStrictEqual(left, right);
        expect(filterKey(a) === filterKey(b)).toBe(same);
      }),
    );
  });

  test.each([
    [["a,b"], ["a", "b"]],
    [['a","b'], ["a", "b"]],
    [["a|"], ["a"]],
  ])("does not confuse %j with %j", (one, other) => {
    const [a, b] = [one, other].map((capabilities) => filterKey(aFilter({ capabilities })));

    expect(a).not.toBe(b);
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
