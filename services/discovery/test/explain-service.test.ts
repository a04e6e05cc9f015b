import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { faultsOf } from "@bourse/rpc";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { anAgent, NOON, openDiscovery, registryOf } from "./support/discovery.ts";

const { ONLINE, BUSY } = AvailabilityState;
const { WEIGHTED, BEST, RANDOM } = SelectionStrategy;

describe("ExplainSelection", () => {
  test("says whom SelectAgent would pick, with the parts in millionths and the counts", async () => {
    await using discovery = await openDiscovery(
      registryOf(
        anAgent("a", { sure: 0.6, cents: 250 }),
        anAgent("b", { sure: 0.2 }),
        anAgent("c", { state: BUSY }),
        anAgent("d", { capabilities: ["rust"] }),
      ),
    );
    const filter = { capabilities: ["python"] };
    const slowStart = { window: durationFromMs(60_000) };

    const answer = await discovery.calls.explainSelection({
      selection: { filter, strategy: WEIGHTED, slowStart },
    });

    expect(answer).toMatchObject({
      reason: "WEIGHTED: any, by its reliability, of 2 eligible agents",
      eligibleAgents: 2n,
      counts: { total: 4n, missing_capability: 1n, not_available: 1n },
      panic: false,
      unprovenAgents: 0n,
    });
    expect(answer.candidates).toMatchObject([
      {
        agent: { agentId: "a", costPerTask: { micros: 2_500_000n, currencyCode: "EUR" } },
        state: ONLINE,
        load: 0,
        recentPicks: 0,
        reliabilityPpm: 600_000,
        p95Latency: durationFromMs(2_000),
        capacityPerHour: 30,
        sharePpm: 1_000_000,
        chancePpm: 750_000,
      },
      { agent: { agentId: "b" }, reliabilityPpm: 200_000, chancePpm: 250_000 },
    ]);
  });

  test("names ten candidates unless asked otherwise", async () => {
    const ids = Array.from({ length: 15 }, (_, nth) => `agent-${nth}`);
    await using discovery = await openDiscovery(registryOf(...ids.map((id) => anAgent(id))));
    const selection = { strategy: BEST };

    const some = await discovery.calls.explainSelection({ selection });
    const two = await discovery.calls.explainSelection({ selection, count: 2 });

    expect([some.candidates.length, two.candidates.length]).toEqual([10, 2]);
  });
});

describe("SelectAgent", () => {
  test("starts a newcomer slowly, by when it first came", async () => {
    const created = { createTime: timestampFromMs(NOON.getTime() - 1_000) };
    await using discovery = await openDiscovery(
      registryOf({ ...anAgent("new"), ...created }, anAgent("old")),
      { random: () => 0.2 },
    );
    const slowStart = { window: durationFromMs(3_600_000) };

    const plain = await discovery.calls.selectAgent({ strategy: RANDOM });
    const slow = await discovery.calls.selectAgent({ strategy: RANDOM, slowStart });

    expect([plain.agent?.agentId, slow.agent?.agentId]).toEqual(["new", "old"]);
  });

  test("names every option that is out of range", async () => {
    await using discovery = await openDiscovery(registryOf());

    const refusal = await discovery.calls
      .selectAgent({
        slowStart: { aggression: 0, leastShare: 2 },
        panicThreshold: 1.5,
        explorationShare: -0.1,
      })
      .catch(ConnectError.from);

    expect(faultsOf(refusal as ConnectError).map(({ field }) => field)).toEqual(
      expect.arrayContaining([
        "slow_start.window",
        "slow_start.aggression",
        "slow_start.least_share",
        "panic_threshold",
        "exploration_share",
      ]),
    );
  });
});

describe("SearchAgents", () => {
  const described = (id: string, facts: object) => {
    const agent = anAgent(id);
    return { ...agent, profile: { ...agent.profile, ...facts } } as ReturnType<typeof anAgent>;
  };

  test("finds agents by all the words of a text in their names, descriptions or capabilities", async () => {
    await using discovery = await openDiscovery(
      registryOf(
        described("a", { displayName: "Tax Bot", description: "Reads German invoices." }),
        described("b", { displayName: "Taxi", description: "Drives; reads invoices too." }),
        described("c", { capabilities: ["invoices.german:tax"] }),
        described("d", { description: "German" }),
      ),
    );

    const found = await discovery.calls.searchAgents({ filter: { text: "TAX, invoices" } });
    const picked = await discovery.calls.selectAgent({ filter: { text: "drives" } });

    expect(found.agents.map(({ agentId }) => agentId)).toEqual(["a", "c"]);
    expect(picked.agent?.agentId).toBe("b");
  });

  test("follows a changed description", async () => {
    const registry = registryOf(described("a", { description: "old words" }));
    await using discovery = await openDiscovery(registry);
    const count = async (text: string) =>
      Number((await discovery.calls.searchAgents({ filter: { text } })).totalSize);
    // Asked twice, so that a view is kept.
    await count("old");
    await count("old");

    registry.put(described("a", { description: "new words" }));

    await expect.poll(() => count("new")).toBe(1);
    expect(await count("old")).toBe(0);
  });

  test("explains its page when asked: the parts of each agent, and who was kept out by what", async () => {
    await using discovery = await openDiscovery(
      registryOf(
        anAgent("a", { cents: 200, sure: 0.5 }),
        anAgent("b", { cents: 100 }),
        anAgent("c", { cents: 900 }),
      ),
    );
    const filter = { maxCost: { micros: 5_000_000n, currencyCode: "EUR" } };

    const plain = await discovery.calls.searchAgents({ filter, pageSize: 1 });
    const explained = await discovery.calls.searchAgents({ filter, explain: true });

    expect([plain.explanations, plain.counts]).toEqual([[], {}]);
    expect(explained.explanations).toMatchObject([
      { agent: { agentId: "b" }, state: ONLINE },
      { agent: { agentId: "a" }, reliabilityPpm: 500_000 },
    ]);
    expect(explained.counts).toEqual({ total: 3n, over_max_cost: 1n });
  });
});
