import { Rejection } from "@bourse/rpc/rejection";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import type { Listing } from "../src/listing.ts";
import { toBeTried, trialOf } from "../src/market/half-open.ts";
import { createMemoryRotation } from "../src/memory.ts";
import { select } from "../src/selection.ts";
import { pickTried } from "../src/trial.ts";
import { trialsAt } from "../src/trials.ts";
import { aSelection } from "./support/desk.ts";
import { aFilter, aListing, eur, openMarket } from "./support/listing.ts";

const python = new Map([["python", "HALF_OPEN"]] as const);
const both = ["python", "rust"];
const called = aFilter({ capabilities: ["python"], states: ["ONLINE"] });

describe("an agent is tried", () => {
  test.each([
    { wanted: { capabilities: ["python"] }, agent: { breakers: python }, at: "python" },
    { wanted: { capabilities: ["python"] }, agent: {}, at: undefined },
    { wanted: { capabilities: [] }, agent: { breakers: python }, at: undefined },
    {
      wanted: { capabilities: ["rust"] },
      agent: { capabilities: both, breakers: python },
      at: undefined,
    },
    {
      wanted: { capabilities: both },
      agent: { capabilities: both, breakers: python },
      at: "python",
    },
    {
      wanted: { capabilities: both, match: "ANY" as const },
      agent: { capabilities: both, breakers: python },
      at: undefined,
    },
    {
      wanted: { capabilities: both, match: "ANY" as const },
      agent: { capabilities: ["python"], breakers: python },
      at: "python",
    },
    {
      wanted: { capabilities: ["python"] },
      agent: { breakers: new Map([["python", "OPEN"]] as const) },
      at: undefined,
    },
  ])("that is $agent when $wanted is wanted: $at", ({ wanted, agent, at }) => {
    const { market, put } = openMarket();
    const slot = put(aListing(agent));

    expect(trialOf(market.agents, slot, aFilter(wanted))).toBe(at);
    expect(toBeTried(market.agents, aFilter(wanted))).toEqual(at === undefined ? [] : ["ada"]);
  });
});

/** Picks the cheapest; `granted` says whom a call may try. */
function aDesk(listings: readonly Partial<Listing>[], granted: readonly string[] = []) {
  const { clock, market, put } = openMarket();
  for (const listing of listings) put(aListing(listing));
  const asked: string[] = [];
  const selection = aSelection({ filter: called, strategy: "CHEAPEST", alternates: 5 });
  const now = () => new Date(clock.nowMs);
  const parts = { market, rotation: createMemoryRotation(), random: () => 0, now };
  const read = (slot: number) => market.agents.idOf(slot);
  return {
    asked,
    pick: (excluded: readonly string[] = []) =>
      pickTried(
        {
          agents: market.agents,
          trials: {
            take: async (agentId) => {
              asked.push(agentId);
              return granted.includes(agentId);
            },
          },
          pick: async (others) => select({ ...parts, read }, { ...selection, excluded: others }),
        },
        selection.filter,
        new Set(excluded),
      ),
  };
}

const tried = (agentId: string, cents: number) => ({
  ...{ agentId, price: eur(cents) },
  breakers: python,
});
const closed = (agentId: string, cents: number) => ({ agentId, price: eur(cents) });

describe("a pick", () => {
  test("is of an agent that is half open when the call may try it", async () => {
    const { pick } = aDesk([tried("a", 1), closed("b", 2)], ["a"]);

    expect(await pick()).toMatchObject({ agentId: "a", alternates: ["b"] });
  });

  test("passes over those that the call may not try, and names none of them", async () => {
    const { pick, asked } = aDesk([tried("a", 1), tried("b", 2), closed("c", 3), tried("d", 4)]);

    expect(await pick()).toMatchObject({ agentId: "c", alternates: [] });
    expect(asked).toEqual(["a", "b"]);
  });

  test("asks about 8 agents at most", async () => {
    const many = Array.from({ length: 50 }, (_, n) => tried(`agent-${n}`, n + 1));
    const { pick, asked } = aDesk([...many, closed("last", 99)]);

    expect(await pick()).toMatchObject({ agentId: "last" });
    expect(asked).toHaveLength(8);
  });

  test("of nobody counts whom the call may not try as breaker_open", async () => {
    const open = { agentId: "c", breakers: new Map([["python", "OPEN"]] as const) };
    const { pick } = aDesk([tried("a", 1), tried("b", 2), open, closed("d", 3)]);

    const error = await pick(["d"]).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(Rejection);
    expect(error).toMatchObject({
      reason: "NO_ELIGIBLE_AGENTS",
      metadata: { total: "4", excluded: "1", breaker_open: "3" },
    });
  });
});

describe("trials at the registry", () => {
  function aRegistry(answer: () => Promise<boolean>) {
    const clock = { nowMs: 0 };
    const calls: string[] = [];
    const takeProbe = async ({ agentId = "" }: { readonly agentId?: string }) => {
      calls.push(agentId);
      return { granted: await answer() };
    };
    const trials = trialsAt({ takeProbe } as Parameters<typeof trialsAt>[0], () => clock.nowMs);
    return { trials, calls, clock };
  }

  test("ask one question at a time of each agent", async () => {
    const { trials, calls } = aRegistry(async () => true);

    const taken = await Promise.all([
      trials.take("a", "x"),
      trials.take("a", "x"),
      trials.take("a", "y"),
      trials.take("b", "x"),
    ]);

    expect(taken).toEqual([true, false, true, true]);
    expect(await trials.take("a", "x")).toBe(true);
    expect(calls).toEqual(["a", "a", "b", "a"]);
  });

  test("believe a refusal for half a second", async () => {
    const { trials, calls, clock } = aRegistry(async () => false);

    for (clock.nowMs = 0; clock.nowMs < 1_000; clock.nowMs += 100) await trials.take("a", "x");

    expect(calls).toHaveLength(2);
  });

  test("are refused while the registry is away", async () => {
    const { trials } = aRegistry(async () => {
      throw new ConnectError("away", Code.Unavailable);
    });

    expect(await trials.take("a", "x")).toBe(false);
  });
});
