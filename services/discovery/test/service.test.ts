import {
  SearchOrder,
  SelectionStrategy,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { faultsOf, metadataOf, reasonOf } from "@bourse/rpc";
import { connectRedis } from "@bourse/service/redis";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { COMMAND_MS, createRedisRotation } from "../src/redis.ts";
import { anAgent, NOON, openDiscovery, type Registry, registryOf } from "./support/discovery.ts";

const { REDIS_URL } = process.env;
const { BUSY } = AvailabilityState;
const { ROUND_ROBIN, LEAST_LOADED, BEST } = SelectionStrategy;
const open: (() => PromiseLike<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function aDiscovery(...facts: Parameters<typeof openDiscovery>) {
  const discovery = await openDiscovery(...facts);
  open.push(() => discovery[Symbol.asyncDispose]());
  return discovery;
}

async function refusalOf(answer: Promise<unknown>): Promise<ConnectError> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ConnectError) return error;
  throw new Error("the call was not refused");
}

const idsOf = (found: readonly { readonly agentId: string }[]) => found.map((a) => a.agentId);

describe("SearchAgents", () => {
  test("lists the agents that pass every condition, cheapest first", async () => {
    const { calls } = await aDiscovery(
      registryOf(
        anAgent("dear", { cents: 300 }),
        anAgent("b", { cents: 200, state: BUSY }),
        anAgent("a", { cents: 100 }),
        anAgent("other", { cents: 1, capabilities: ["rust"] }),
      ),
    );

    const answer = await calls.searchAgents({
      filter: {
        capabilities: [" Python "],
        maxCost: { micros: 2_000_000n, currencyCode: "EUR" },
        maxLatency: durationFromMs(2_000),
        metadata: { zone: "eu" },
      },
    });

    expect(idsOf(answer.agents)).toEqual(["a", "b"]);
    expect(answer.agents[0]?.profile?.endpoint?.uri).toBe("grpc://a.example:443");
    expect(answer).toMatchObject({ totalSize: 2n, nextPageToken: "" });
  });

  test("lists the agents by id when that is asked for, page by page", async () => {
    const agents = ["b", "c", "a"].map((agentId, nth) => anAgent(agentId, { cents: nth }));
    const { calls } = await aDiscovery(registryOf(...agents));
    const ask = { orderBy: SearchOrder.ID, pageSize: 2 };

    const first = await calls.searchAgents(ask);
    const second = await calls.searchAgents({ ...ask, pageToken: first.nextPageToken });

    expect([idsOf(first.agents), idsOf(second.agents)]).toEqual([["a", "b"], ["c"]]);
    expect(second.nextPageToken).toBe("");
  });

  test("lists the agents with an endpoint of one scheme, however they write it", async () => {
    const endpointOf = (agentId: string, uri: string) => {
      const agent = anAgent(agentId);
      return { ...agent, profile: { ...agent.profile, endpoint: { uri, protocol: "grpc" } } };
    };
    const agents = [
      endpointOf("a", "grpc://a.example:443"),
      endpointOf("b", "GRPC://b.example"),
      endpointOf("c", "grpcs://c.example"),
      endpointOf("d", ""),
    ];
    const { calls } = await aDiscovery(registryOf(...(agents as ReturnType<typeof anAgent>[])));

    const answer = await calls.searchAgents({ filter: { endpointScheme: "grpc" } });
    const refused = await refusalOf(calls.selectAgent({ filter: { endpointScheme: "a2a" } }));

    expect(idsOf(answer.agents)).toEqual(["a", "b"]);
    expect(metadataOf(refused)).toMatchObject({ total: "4", other_endpoint: "4" });
  });

  test("pages by 20 unless asked otherwise, and takes its tokens back", async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `agent-${index + 10}`);
    const { calls } = await aDiscovery(registryOf(...ids.map((id) => anAgent(id))));

    const first = await calls.searchAgents({});
    const second = await calls.searchAgents({ pageToken: first.nextPageToken });

    expect(first.agents).toHaveLength(20);
    expect(idsOf([...first.agents, ...second.agents])).toEqual(ids);
    expect(second.nextPageToken).toBe("");
  });

  test("ends a page early rather than exceed a message, and lists everybody", async () => {
    const description = "x".repeat(100_000);
    const ids = Array.from({ length: 60 }, (_, index) => `agent-${index + 10}`);
    const agents = ids
      .map((id) => anAgent(id))
      .map((agent) => {
        return { ...agent, profile: { ...agent.profile, description } };
      });
    const { calls } = await aDiscovery(registryOf(...(agents as ReturnType<typeof anAgent>[])));

    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await calls.searchAgents({ pageSize: 1_000, pageToken });
      listed.push(...idsOf(page.agents));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");

    expect(listed).toEqual(ids);
  });

  test("refuses a token of another search with INVALID_PAGE_TOKEN", async () => {
    const { calls } = await aDiscovery(registryOf(anAgent("a"), anAgent("b")));
    const { nextPageToken: pageToken } = await calls.searchAgents({ pageSize: 1 });

    const refusal = await refusalOf(
      calls.searchAgents({ pageToken, filter: { capabilities: ["python"] } }),
    );

    expect(refusal.code).toBe(Code.InvalidArgument);
    expect(reasonOf(refusal)).toBe("INVALID_PAGE_TOKEN");
  });

  test("names every bad field of a request at once", async () => {
    const { calls } = await aDiscovery(registryOf());

    const refusal = await refusalOf(
      calls.searchAgents({
        pageSize: -1,
        filter: { minReliability: 1.5, maxCost: { micros: -1n, currencyCode: "euro" } },
      }),
    );

    expect(refusal.code).toBe(Code.InvalidArgument);
    expect(faultsOf(refusal).map(({ field }) => field)).toEqual(
      expect.arrayContaining(["page_size", "filter.min_reliability", "filter.max_cost"]),
    );
  });
});

describe("SelectAgent", () => {
  test("goes round, over ONLINE agents only unless states are named", async () => {
    const { calls } = await aDiscovery(
      registryOf(anAgent("a"), anAgent("b"), anAgent("busy", { state: BUSY })),
    );
    const filter = { capabilities: ["python"] };

    const picks: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      picks.push((await calls.selectAgent({ filter })).agent?.agentId ?? "");
    }
    const any = await calls.selectAgent({ filter: { ...filter, states: [BUSY] } });

    expect(picks).toEqual(["a", "b", "a", "b"]);
    expect(any.agent?.agentId).toBe("busy");
  });

  test("answers with all that is needed to call the agent, with alternates and a reason", async () => {
    const { calls } = await aDiscovery(
      registryOf(
        anAgent("a", { cents: 100, sure: 0.9 }),
        anAgent("b", { sure: 0.8 }),
        anAgent("c", { sure: 0.7 }),
      ),
    );

    const answer = await calls.selectAgent({
      filter: { capabilities: ["python"] },
      strategy: BEST,
      alternates: 1,
    });

    expect(answer.agent).toMatchObject({
      agentId: "a",
      endpoint: { uri: "grpc://a.example:443", protocol: "grpc" },
      costPerTask: { micros: 1_000_000n, currencyCode: "EUR" },
    });
    expect(idsOf(answer.alternates)).toEqual(["b"]);
    expect(answer.eligibleAgents).toBe(3);
    expect(answer.reason).toBe(
      "BEST: most reliable of 3 eligible agents: at least 90.0% of its tasks succeed",
    );
  });

  test("refuses with NO_ELIGIBLE_AGENTS and counts of who was kept out by what", async () => {
    const { calls } = await aDiscovery(
      registryOf(
        anAgent("a", { state: BUSY, cents: 1 }),
        anAgent("b", { cents: 900 }),
        anAgent("c", { capabilities: ["rust"] }),
      ),
    );

    const refusal = await refusalOf(
      calls.selectAgent({
        filter: { capabilities: ["python"], maxCost: { micros: 10_000n, currencyCode: "EUR" } },
      }),
    );

    expect(refusal.code).toBe(Code.NotFound);
    expect(reasonOf(refusal)).toBe("NO_ELIGIBLE_AGENTS");
    expect(metadataOf(refusal)).toMatchObject({
      total: "3",
      missing_capability: "1",
      over_max_cost: "1",
      not_available: "1",
    });
  });

  test("knows a lapsed lease without being told", async () => {
    const clock = { now: NOON };
    const registry = registryOf(anAgent("a", { leaseExpires: new Date(NOON.getTime() + 1_000) }));
    const { calls } = await aDiscovery(registry, { now: () => clock.now });
    const ask = { filter: { capabilities: ["python"] }, strategy: LEAST_LOADED };
    expect((await calls.selectAgent(ask)).agent?.agentId).toBe("a");

    clock.now = new Date(NOON.getTime() + 1_000);

    expect(metadataOf(await refusalOf(calls.selectAgent(ask)))).toMatchObject({
      not_available: "1",
    });
  });

  test("counts work that the registry knows of by a slot once, and not as a pick besides", async () => {
    const clock = { now: NOON };
    const registry = registryOf(anAgent("a"), anAgent("b"));
    const { calls, roster } = await aDiscovery(registry, { now: () => clock.now });
    const ask = { filter: { capabilities: ["python"] }, strategy: LEAST_LOADED };
    expect((await calls.selectAgent(ask)).agent?.agentId).toBe("a");
    const later = new Date(NOON.getTime() + 1);
    const loaded = (agentId: string, inFlight: number) => {
      const inFlightTime = timestampFromDate(later);
      const availability = { state: AvailabilityState.ONLINE, inFlight, inFlightTime };
      const { profile } = anAgent(agentId);
      registry.put({ agentId, availability, ...(profile !== undefined && { profile }) });
    };

    loaded("a", 1);
    loaded("b", 2);
    await vi.waitFor(() => expect(roster.get("b")?.availability?.inFlight).toBe(2));

    expect((await calls.selectAgent(ask)).agent?.agentId).toBe("a");
  });

  test("sees a change of the registry, and goes on without it", async () => {
    const registry = registryOf(anAgent("a"));
    const { calls, roster } = await aDiscovery(registry);
    registry.put(anAgent("b"));
    registry.unregister("a");
    await vi.waitFor(() => expect(roster.get("b")).toBeDefined());

    registry.cutSnapshotsAfter(0);
    registry.cut();
    await vi.waitFor(() => expect(roster.isCurrent()).toBe(false));

    expect((await calls.selectAgent({})).agent?.agentId).toBe("b");
  });

  test.skipIf(REDIS_URL === undefined)(
    "goes round exactly over two replicas that share a Redis",
    async () => {
      const zone = String(Math.random());
      const ids = ["a", "b", "c", "d", "e"];
      const registry = registryOf(...ids.map((id) => anAgent(id, { capabilities: [zone] })));
      const replicas = await Promise.all([sharing(registry), sharing(registry)]);

      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          replicas[index % 2]?.calls.selectAgent({
            filter: { capabilities: [zone] },
            strategy: ROUND_ROBIN,
          }),
        ),
      );

      const turns = ids.map((id) => answers.filter((each) => each?.agent?.agentId === id).length);
      expect(turns).toEqual([20, 20, 20, 20, 20]);
    },
  );

  test("says so when Redis is away and the replica counts alone", async () => {
    const registry = registryOf(anAgent("a"));
    const { calls } = await sharing(registry, "redis://127.0.0.1:1");

    const { reason } = await calls.selectAgent({});

    expect(reason).toContain("Redis is away");
  });

  async function sharing(registry: Registry, url = REDIS_URL ?? "") {
    const redis = await connectRedis(url, { commandMs: COMMAND_MS });
    const rotation = createRedisRotation({ redis, now: () => new Date() });
    open.push(async () => rotation[Symbol.dispose]());
    return aDiscovery(registry, { rotation });
  }
});

describe("RecommendAgents", () => {
  test("names three unless asked otherwise, best first, BUSY ones only when asked", async () => {
    const { calls } = await aDiscovery(
      registryOf(
        anAgent("a", { sure: 0.5 }),
        anAgent("b", { sure: 0.9 }),
        anAgent("c", { sure: 0.8 }),
        anAgent("d", { sure: 0.6 }),
        anAgent("e", { sure: 0.99, state: BUSY }),
      ),
    );

    const three = await calls.recommendAgents({ capability: "PYTHON" });
    const five = await calls.recommendAgents({ capability: "python", count: 5, includeBusy: true });

    expect(idsOf(three.agents)).toEqual(["b", "c", "d"]);
    expect(idsOf(five.agents)).toEqual(["b", "c", "d", "a", "e"]);
  });

  test("refuses with NO_ELIGIBLE_AGENTS when nobody has the capability", async () => {
    const { calls } = await aDiscovery(registryOf(anAgent("a")));

    const refusal = await refusalOf(calls.recommendAgents({ capability: "cobol" }));

    expect(reasonOf(refusal)).toBe("NO_ELIGIBLE_AGENTS");
    expect(metadataOf(refusal)).toMatchObject({ total: "1", missing_capability: "1" });
  });
});

describe("SummarizeCapabilities", () => {
  test("counts most agents first, then by name, and each agent once in all", async () => {
    const { calls } = await aDiscovery(
      registryOf(
        anAgent("a", { capabilities: ["python", "sql"] }),
        anAgent("b", { capabilities: ["python", "rust"], state: BUSY }),
      ),
    );

    const { capabilities, totalAgents } = await calls.summarizeCapabilities({});

    expect(capabilities).toMatchObject([
      { capability: "python", agents: 2n, onlineAgents: 1n },
      { capability: "rust", agents: 1n, onlineAgents: 0n },
      { capability: "sql", agents: 1n, onlineAgents: 1n },
    ]);
    expect(totalAgents).toBe(2n);
  });
});

describe("the metrics", () => {
  test("count searches and selections by what became of them", async () => {
    const { calls, metrics } = await aDiscovery(registryOf(anAgent("a")));
    await calls.searchAgents({});
    await calls.selectAgent({ strategy: BEST });
    await refusalOf(calls.selectAgent({ filter: { capabilities: ["cobol"] } }));

    const text = await metrics.registry.metrics();

    const discoveryLines = text.split("\n").filter((line) => line.startsWith("marketplace_"));
    const labels = (rest: string) => `{${rest},service="discovery"} 1`;
    expect(discoveryLines).toEqual(
      expect.arrayContaining([
        `marketplace_discovery_searches_total${labels('order="COST",outcome="found"')}`,
        `marketplace_discovery_selections_total${labels('strategy="BEST",outcome="picked"')}`,
        `marketplace_discovery_selections_total${labels('strategy="ROUND_ROBIN",outcome="nobody"')}`,
        'marketplace_discovery_agents{service="discovery"} 1',
      ]),
    );
  });

  test("tell how far the copy is behind, and that it is not current when nothing is heard", async () => {
    const clock = { now: NOON };
    const { metrics } = await aDiscovery(registryOf(anAgent("a")), { now: () => clock.now });
    const figure = async (name: string) => {
      const text = await metrics.registry.metrics();
      return text
        .split("\n")
        .find((line) => line.startsWith(`${name}{`))
        ?.split(" ")
        .at(-1);
    };
    expect(await figure("marketplace_discovery_roster_current")).toBe("1");

    clock.now = new Date(NOON.getTime() + 60_000);

    expect(await figure("marketplace_discovery_roster_lag_seconds")).toBe("60");
    expect(await figure("marketplace_discovery_roster_current")).toBe("0");
  });
});
