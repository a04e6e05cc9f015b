import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createConcerns } from "../src/concerns.ts";

const AT_ONCE = 500;

/** Agents of a market whose ids sort as their numbers do. */
function market(size: number): readonly string[] {
  return Array.from({ length: size }, (_, nth) => `agent-${String(nth).padStart(6, "0")}`);
}

/** The concerns of a watcher in a market, and how often the market was listed. */
function concernsIn(agentIds: readonly string[]) {
  let listed = 0;
  const store = {
    async listRegistered(after: string, limit: number) {
      listed++;
      const start = agentIds.findIndex((agentId) => agentId > after);
      return start < 0 ? [] : agentIds.slice(start, start + limit);
    },
  };
  const concerns = createConcerns({ store, atOnce: AT_ONCE, wake() {}, onFault() {} });
  onTestFinished(() => concerns.end());
  const takeAll = async () => {
    const taken: string[] = [];
    for (let some = await concerns.take(); some.length > 0; some = await concerns.take()) {
      expect(some.length).toBeLessThanOrEqual(AT_ONCE);
      taken.push(...some);
    }
    return taken;
  };
  return { concerns, takeAll, listed: () => listed };
}

test("a few agents are named, each once, and nobody is looked for", async () => {
  const { concerns, takeAll, listed } = concernsIn(market(10));

  concerns.hear({ kind: "agents", agentIds: ["b", "a"] });
  concerns.hear({ kind: "agents", agentIds: ["b"] });

  expect(await takeAll()).toEqual(["b", "a"]);
  expect(concerns.isEmpty()).toBe(true);
  expect(listed()).toBe(0);
});

test("all agents are found by a walk, also those that were named", async () => {
  const agentIds = market(12_345);
  const { concerns, takeAll } = concernsIn(agentIds);

  concerns.hear({ kind: "agents", agentIds: agentIds.slice(0, 3) });
  concerns.hear({ kind: "all" });

  expect(await takeAll()).toEqual(agentIds);
  expect(concerns.isEmpty()).toBe(true);
});

test("of agents that are too many to be named none is missed, and few others are told", async () => {
  const agentIds = market(40_000);
  const { concerns, takeAll, listed } = concernsIn(agentIds);
  const changed = agentIds.filter((_, nth) => nth % 2 === 0);

  for (const agentId of changed) concerns.hear({ kind: "agents", agentIds: [agentId] });
  const taken = await takeAll();
  const told = new Set(taken);

  expect(changed.filter((agentId) => !told.has(agentId))).toEqual([]);
  expect(taken.length).toBeLessThan(changed.length * 1.1);
  expect(listed()).toBeGreaterThan(0);
});

test("a watcher that does not take holds no more of very many agents than of some thousands", async () => {
  const { concerns, listed } = concernsIn(market(10));

  for (const agentId of market(100_000)) concerns.hear({ kind: "agents", agentIds: [agentId] });

  // Names of agents that are not registered could only come out of memory.
  expect(await concerns.take()).toEqual(market(10));
  expect(await concerns.take()).toEqual([]);
  expect(listed()).toBe(1);
});

test("a walk ends, however much is heard during it", async () => {
  const agentIds = market(20_000);
  const { concerns } = concernsIn(agentIds);
  const taken = new Set<string>();

  concerns.hear({ kind: "all" });
  for (let round = 0; round < 40; round++) {
    for (const agentId of await concerns.take()) taken.add(agentId);
    concerns.hear({ kind: "agents", agentIds: agentIds.slice(0, 6_000) });
  }

  expect(taken.size).toBe(agentIds.length);
});

test("whoever changes is taken after the change, whenever it comes", async () => {
  const agentIds = market(7_000);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("hear" as const), from: fc.nat(6_999), count: fc.nat(7_000) }),
    fc.record({ kind: fc.constant("all" as const) }),
    fc.record({ kind: fc.constant("take" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { concerns, takeAll } = concernsIn(agentIds);
      const untold = new Set<string>();
      for (const one of steps) {
        if (one.kind === "take") {
          for (const agentId of await concerns.take()) untold.delete(agentId);
        } else {
          const changed =
            one.kind === "all" ? agentIds : agentIds.slice(one.from, one.from + one.count);
          for (const agentId of changed) untold.add(agentId);
          concerns.hear(
            one.kind === "all" ? { kind: "all" } : { kind: "agents", agentIds: changed },
          );
        }
        expect(untold.size > 0 && concerns.isEmpty()).toBe(false);
      }
      for (const agentId of await takeAll()) untold.delete(agentId);
      expect([...untold]).toEqual([]);
      expect(concerns.isEmpty()).toBe(true);
    }),
    { numRuns: 50 },
  );
});
