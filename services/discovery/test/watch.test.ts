import {
  SelectionStrategy,
  type WatchCandidatesRequestSchema,
  type WatchCandidatesResponse,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { BreakerState } from "@bourse/proto/bourse/registry/v1/breaker_pb.ts";
import { metadataOf, reasonOf, streamed } from "@bourse/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { anAgent, NOON, openDiscovery, type Registry, registryOf } from "./support/discovery.ts";

const { BUSY, OFFLINE } = AvailabilityState;
const { LEAST_LOADED, CHEAPEST, BEST, FASTEST, RANDOM, WEIGHTED } = SelectionStrategy;

const open: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Request = MessageInitShape<typeof WatchCandidatesRequestSchema>;
const PYTHON = { filter: { capabilities: ["python"] } };

async function aDiscovery(registry: Registry, facts: Parameters<typeof openDiscovery>[1] = {}) {
  const discovery = await openDiscovery(registry, facts);
  open.push(() => discovery[Symbol.asyncDispose]());
  /** A stream that reads all that it is told. */
  const watch = (request: Request = PYTHON) => {
    const ending = new AbortController();
    const told: WatchCandidatesResponse[] = [];
    const reading = (async () => {
      const messages = streamed(
        (signal) => discovery.calls.watchCandidates(request, { signal }),
        ending.signal,
      );
      for await (const message of messages) told.push(message);
    })().catch((error: unknown) => error);
    const end = async () => {
      ending.abort();
      await reading;
    };
    open.push(end);
    return {
      told,
      end,
      reading,
      ids: () => told.at(-1)?.candidates.map(({ agentId }) => agentId),
    };
  };
  return { ...discovery, watch };
}

/** An agent whose breaker is not closed. */
function broken(agentId: string, state: BreakerState): ReturnType<typeof anAgent> {
  const agent = anAgent(agentId);
  return { ...agent, breakers: [{ capability: "python", state }] } as typeof agent;
}

const namesOf = (count: number) => Array.from({ length: count }, (_, nth) => `agent-${nth}`);
const until = (holds: () => unknown) => vi.waitFor(holds, { interval: 10 });

describe("who follows the agents for a capability", () => {
  test("is told at once who passes, with where each is and what it costs", async () => {
    const { watch } = await aDiscovery(
      registryOf(anAgent("a", { cents: 5 }), anAgent("b", { capabilities: ["rust"] })),
    );
    const { told } = watch();
    await until(() => expect(told).toHaveLength(1));

    expect(told[0]).toMatchObject({
      candidates: [
        {
          agentId: "a",
          endpoint: { uri: "grpc://a.example:443", protocol: "grpc" },
          costPerTask: { micros: 50_000n, currencyCode: "EUR" },
        },
      ],
      counts: {},
    });
  });

  test.each([
    ["is full", anAgent("a", { state: BUSY })],
    ["takes leave", anAgent("a", { state: OFFLINE })],
    ["can do something else", anAgent("a", { capabilities: ["rust"] })],
    ["is broken", broken("a", BreakerState.OPEN)],
  ])("is told when one of them %s, and when it is back", async (_, other) => {
    const registry = registryOf(anAgent("a"), anAgent("b"));
    const { watch } = await aDiscovery(registry);
    const watched = watch();
    await until(() => expect(watched.ids()?.toSorted()).toEqual(["a", "b"]));

    registry.put(other);
    await until(() => expect(watched.ids()).toEqual(["b"]));
    registry.put(anAgent("a"));
    await until(() => expect(watched.ids()?.toSorted()).toEqual(["a", "b"]));
    registry.unregister("a");
    await until(() => expect(watched.ids()).toEqual(["b"]));
  });

  test("is told when a lease lapses, though the registry says nothing", async () => {
    let nowMs = NOON.getTime();
    const leaseExpires = new Date(nowMs + 1_000);
    const registry = registryOf(anAgent("a", { leaseExpires }), anAgent("b"));
    const { watch } = await aDiscovery(registry, { now: () => new Date(nowMs) });
    const watched = watch();
    await until(() => expect(watched.ids()).toHaveLength(2));

    nowMs += 1_000;
    await until(() => expect(watched.ids()).toEqual(["b"]));
  });

  test("is told of newcomers, and where an agent has moved", async () => {
    const registry = registryOf();
    const { watch } = await aDiscovery(registry);
    const watched = watch();
    await until(() => expect(watched.ids()).toEqual([]));

    registry.put(anAgent("a"));
    await until(() => expect(watched.ids()).toEqual(["a"]));
    const moved = anAgent("a");
    const endpoint = { uri: "grpc://elsewhere.example", protocol: "grpc" };
    registry.put({ ...moved, profile: { ...moved.profile, endpoint } } as typeof moved);
    await until(() => {
      expect(watched.told.at(-1)?.candidates[0]?.endpoint?.uri).toBe(endpoint.uri);
    });
  });

  test("is told nothing while nothing changes in the list", async () => {
    const registry = registryOf(anAgent("a"));
    const { watch, roster } = await aDiscovery(registry);
    const watched = watch();
    await until(() => expect(watched.ids()).toEqual(["a"]));

    // Nothing that a list tells: another's change, and a report of load.
    registry.put(anAgent("other", { capabilities: ["rust"] }));
    const busy = anAgent("a");
    registry.put({ ...busy, availability: { ...busy.availability, inFlight: 1 } } as typeof busy);
    await until(() => expect(roster.size).toBe(2));
    registry.put(anAgent("b"));
    await until(() => expect(watched.ids()).toHaveLength(2));

    expect(watched.told).toHaveLength(2);
  });

  test("is told why nobody passes, and the stream goes on", async () => {
    const registry = registryOf(anAgent("a", { state: BUSY }), anAgent("b", { cents: 500 }));
    const { watch } = await aDiscovery(registry);
    const maxCost = { micros: 1n, currencyCode: "EUR" };
    const watched = watch({ filter: { capabilities: ["python"], maxCost } });
    await until(() => expect(watched.told).toHaveLength(1));

    expect(watched.told[0]).toMatchObject({
      candidates: [],
      counts: { total: 2n, unpriced: 1n, over_max_cost: 1n },
    });
    registry.put(anAgent("c", { cents: 0 }));
    await until(() => expect(watched.ids()).toEqual(["c"]));
    expect(watched.told.at(-1)?.counts).toEqual({});
  });

  test("is refused a strategy that is for single picks, and more than a hundred", async () => {
    const { watch } = await aDiscovery(registryOf());

    for (const request of [{ strategy: WEIGHTED }, { count: 101 }, { count: -1 }]) {
      const error = await watch(request).reading;
      expect(reasonOf(error)).toBe("INVALID_REQUEST");
    }
  });
});

describe("the order of a list", () => {
  const facts = [
    { agentId: "dear", cents: 300, sure: 0.9, inFlight: 1 },
    { agentId: "cheap", cents: 100, sure: 0.5, inFlight: 2 },
    { agentId: "idle", cents: 200, sure: 0.6, inFlight: 0 },
  ];
  const agentOf = ({ agentId, inFlight, ...rest }: (typeof facts)[number]) => {
    const agent = anAgent(agentId, rest);
    return { ...agent, availability: { ...agent.availability, inFlight } } as typeof agent;
  };

  test.each([
    [CHEAPEST, ["cheap", "idle"]],
    [BEST, ["dear", "idle"]],
    [LEAST_LOADED, ["idle", "dear"]],
  ])("by strategy %i is the preference, and its first ones are named", async (strategy, ids) => {
    const { watch } = await aDiscovery(registryOf(...facts.map(agentOf)));
    const watched = watch({ ...PYTHON, strategy, count: 2 });
    await until(() => expect(watched.ids()).toEqual(ids));
  });

  test("follows what it looks at: a lower price, a newcomer that is cheaper", async () => {
    const registry = registryOf(anAgent("a", { cents: 3 }), anAgent("b", { cents: 4 }));
    const { watch } = await aDiscovery(registry);
    const watched = watch({ ...PYTHON, strategy: CHEAPEST, count: 1 });
    await until(() => expect(watched.ids()).toEqual(["a"]));

    registry.put(anAgent("b", { cents: 2 }));
    await until(() => expect(watched.ids()).toEqual(["b"]));
    registry.put(anAgent("c", { cents: 1 }));
    await until(() => expect(watched.ids()).toEqual(["c"]));
  });

  test.each([RANDOM, CHEAPEST, FASTEST])(
    "lets callers share those that are equally good, by strategy %i",
    async (strategy) => {
      const ids = namesOf(12);
      const { watch } = await aDiscovery(registryOf(...ids.map((id) => anAgent(id))));
      const all = Array.from({ length: 12 }, () => watch({ ...PYTHON, strategy, count: 3 }));
      await until(() => {
        for (const watched of all) expect(watched.ids()).toHaveLength(3);
      });

      const named = all.flatMap((watched) => watched.ids() ?? []);
      const counts = ids.map((id) => named.filter((each) => each === id).length);
      expect(counts.reduce((sum, count) => sum + count)).toBe(36);
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(2);
      expect(Math.max(...counts)).toBeLessThanOrEqual(4);
    },
  );

  test("stays with who it has while others come and go", async () => {
    const registry = registryOf(...namesOf(10).map((id) => anAgent(id)));
    const { watch } = await aDiscovery(registry);
    const watched = watch({ ...PYTHON, count: 4 });
    await until(() => expect(watched.ids()).toHaveLength(4));
    const before = watched.ids() ?? [];
    const gone = before[1] ?? "";

    registry.unregister(gone);
    await until(() => expect(watched.ids()).not.toContain(gone));

    expect(watched.ids()?.slice(0, 3)).toEqual(before.filter((id) => id !== gone));
    expect(watched.told).toHaveLength(2);
  });

  test("begins where an earlier one began, when the caller says so", async () => {
    const { watch } = await aDiscovery(registryOf(...namesOf(10).map((id) => anAgent(id))));
    const first = watch({ ...PYTHON, count: 3 });
    await until(() => expect(first.told).toHaveLength(1));
    const ringStart = first.told[0]?.ringStart ?? "";

    const again = watch({ ...PYTHON, count: 3, ringStart });
    const longer = watch({ ...PYTHON, count: 5, ringStart });
    await until(() => expect(longer.told.length + again.told.length).toBe(2));

    expect(again.told[0]).toEqual(first.told[0]);
    expect(longer.ids()?.slice(0, 3)).toEqual(first.ids());
  });

  test("does not stay with the few that there were when the streams began", async () => {
    const registry = registryOf();
    const { watch } = await aDiscovery(registry);
    const all = Array.from({ length: 10 }, () => watch({ ...PYTHON, count: 1 }));
    const ids = namesOf(10);
    for (const id of ids) {
      registry.put(anAgent(id));
      await until(() => {
        for (const watched of all) expect(watched.ids()).toHaveLength(1);
      });
    }

    await until(() => {
      const named = new Set(all.flatMap((watched) => watched.ids() ?? []));
      expect(named.size).toBeGreaterThanOrEqual(5);
    });
  });
});

describe("an agent whose breaker is half open", () => {
  test("is named to one caller at a time, beside its list, if the registry lets it be tried", async () => {
    const registry = registryOf(anAgent("a"), broken("b", BreakerState.HALF_OPEN));
    const { watch } = await aDiscovery(registry);
    const all = Array.from({ length: 3 }, () => watch());
    const trying = () => all.filter(({ told }) => told.at(-1)?.trial?.agentId === "b");
    await until(() => expect(trying()).toHaveLength(1));
    expect(all.map(({ ids }) => ids())).toEqual([["a"], ["a"], ["a"]]);

    const [first] = trying();
    await first?.end();
    await until(() => {
      const others = trying().filter((watched) => watched !== first);
      expect(others).toHaveLength(1);
    });
    registry.put(anAgent("b"));
    await until(() => {
      for (const watched of all) {
        if (watched !== first) expect(watched.ids()?.toSorted()).toEqual(["a", "b"]);
      }
      expect(trying().filter((watched) => watched !== first)).toEqual([]);
    });
  });

  test("counts as broken for those who may not try it", async () => {
    const registry = registryOf(broken("b", BreakerState.HALF_OPEN));
    const { watch } = await aDiscovery(registry, { probe: () => false });
    const watched = watch();
    await until(() => expect(watched.told.length).toBeGreaterThan(0));

    expect(watched.told[0]?.counts).toEqual({ total: 1n, breaker_open: 1n });
  });
});

test("a list among more agents than are looked at at once is made in slices, and followed all the same", async () => {
  const registry = registryOf(...namesOf(50).map((id) => anAgent(id)));
  const { watch } = await aDiscovery(registry, { limits: { atOnceMax: 10, sliceMax: 5 } });
  const [all, other] = [watch(), watch({ ...PYTHON, strategy: CHEAPEST })];
  await until(() => expect([all.ids(), other.ids()].map((ids) => ids?.length)).toEqual([8, 8]));
  const gone = all.ids()?.[0] ?? "";

  registry.unregister(gone);
  await until(() => expect(all.ids()).not.toContain(gone));
  expect(all.ids()).toHaveLength(8);
});

describe("many streams", () => {
  test("are counted while they are open, and so are the lists they are told", async () => {
    const registry = registryOf(anAgent("a"));
    const { watch, metrics } = await aDiscovery(registry);
    const all = Array.from({ length: 3 }, () => watch());
    await until(() => expect(all.every(({ told }) => told.length === 1)).toBe(true));
    const text = () => metrics.registry.metrics();

    expect(await text()).toMatch(/marketplace_discovery_watches\{[^}]*\} 3/);
    expect(await text()).toMatch(
      /marketplace_discovery_watched_lists_total\{[^}]*strategy="ROUND_ROBIN"[^}]*\} 3/,
    );
    for (const { end } of all) await end();
    await vi.waitFor(async () => {
      expect(await text()).toMatch(/marketplace_discovery_watches\{[^}]*\} 0/);
    });
  });

  test("of too many different filters are refused as TOO_MANY_WATCHES, until others end", async () => {
    const registry = registryOf(anAgent("a"));
    const limits = { followedMax: 2 };
    const { watch } = await aDiscovery(registry, { limits });
    const of = (capability: string) => watch({ filter: { capabilities: [capability] } });
    const kept = [of("python"), of("rust"), of("python")];
    await until(() => expect(kept.every(({ told }) => told.length === 1)).toBe(true));

    const error = await of("go").reading;
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(reasonOf(error)).toBe("TOO_MANY_WATCHES");
    await kept[1]?.end();
    await vi.waitFor(async () => {
      const again = of("go");
      await until(() => expect(again.told.length).toBe(1));
    });
  });

  test("end with SHUTTING_DOWN when the replica stops", async () => {
    const discovery = await aDiscovery(registryOf(anAgent("a")));
    const watched = discovery.watch();
    await until(() => expect(watched.ids()).toEqual(["a"]));

    await discovery.drain();

    const error = await watched.reading;
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(reasonOf(error)).toBe("SHUTTING_DOWN");
    expect(metadataOf(error)).toHaveProperty("request_id");
  });
});
