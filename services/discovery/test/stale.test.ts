import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { afterEach, describe, expect, test, vi } from "vitest";
import { tellStaleness } from "../src/events.ts";
import { anAgent, NOON, openDiscovery, registryOf } from "./support/discovery.ts";

const { ONLINE } = AvailabilityState;
const { ROUND_ROBIN, LEAST_LOADED } = SelectionStrategy;
const PYTHON = { filter: { capabilities: ["python"] } };
const at = (seconds: number) => new Date(NOON.getTime() + seconds * 1_000);

const open: (() => PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Discovery of agent `a`, which has a lease of a minute, and `b`, which has none. */
async function aDiscovery() {
  const clock = { now: at(0) };
  const facts = { leaseExpires: at(60), leaseSeconds: 60 };
  const registry = registryOf(anAgent("a", facts), anAgent("b"));
  const discovery = await openDiscovery(registry, { now: () => clock.now });
  open.push(() => discovery[Symbol.asyncDispose]());
  const { calls, roster } = discovery;
  return {
    ...discovery,
    clock,
    registry,
    async lose(since: Date | undefined) {
      registry.lose(since);
      await vi.waitFor(() => expect(roster.staleSinceMs() !== undefined).toBe(since !== undefined));
    },
    /** Who passes a filter for those that are ONLINE, and of whom each answer says so. */
    async online() {
      const { agents } = await calls.searchAgents({
        filter: { ...PYTHON.filter, states: [ONLINE] },
      });
      expect(agents.every(({ availability }) => availability?.state === ONLINE)).toBe(true);
      return agents.map(({ agentId }) => agentId).sort();
    },
    /** Whether each kind of answer says that it is stale. */
    async said() {
      const answers = await Promise.all([
        calls.searchAgents(PYTHON),
        calls.searchAgents({ ...PYTHON, explain: true }),
        calls.recommendAgents({ capability: "python" }),
        calls.selectAgent({ ...PYTHON, strategy: ROUND_ROBIN }),
        calls.selectAgent({ ...PYTHON, strategy: LEAST_LOADED, alternates: 1 }),
        calls.explainSelection({ selection: PYTHON }),
        calls.summarizeCapabilities({}),
      ]);
      return answers.map(({ stale }) => stale);
    },
  };
}

describe("while the registry's store of leases is away", () => {
  test("every answer says so, and none before and after", async () => {
    const { said, lose } = await aDiscovery();

    const before = await said();
    await lose(at(10));
    const away = await said();
    await lose(undefined);

    expect(before).toEqual(before.map(() => false));
    expect(away).toEqual(away.map(() => true));
    expect(await said()).toEqual(before);
  });

  test("a lease that could not be renewed does not lapse, in any view", async () => {
    const { calls, clock, lose, online } = await aDiscovery();
    // Asked twice, a filter has a view that is kept.
    for (let times = 0; times < 2; times += 1) expect(await online()).toEqual(["a", "b"]);
    clock.now = at(61);
    expect(await online()).toEqual(["b"]);

    await lose(at(59));
    clock.now = at(3_600);

    expect(await online()).toEqual(["a", "b"]);
    expect((await calls.summarizeCapabilities({})).capabilities[0]?.onlineAgents).toBe(2n);
    expect((await calls.selectAgent(PYTHON)).eligibleAgents).toBe(2);
  });

  test("a refusal says so in its metadata and in words, beside the counts", async () => {
    const { calls, lose } = await aDiscovery();
    const refusals = async () => {
      const filter = { capabilities: ["cobol"] };
      const slot = { timeout: { seconds: 10n } };
      const asked = [
        calls.selectAgent({ filter, strategy: ROUND_ROBIN }),
        calls.selectAgent({ filter, slot }),
        calls.recommendAgents({ capability: "cobol" }),
      ];
      const errors = await Promise.allSettled(asked);
      return errors.map((error) => (error.status === "rejected" ? error.reason : undefined));
    };
    const countsIn = (refusal: unknown) => {
      const { request_id: _, ...counts } = metadataOf(refusal);
      return counts;
    };
    const counts = { total: "2", missing_capability: "2" };

    const known = await refusals();
    await lose(at(10));
    const stale = await refusals();

    expect(known.map(countsIn)).toEqual(Array(3).fill(counts));
    expect(stale.map(countsIn)).toEqual(Array(3).fill({ ...counts, stale: "true" }));
    expect(stale.map(reasonOf)).toEqual(Array(3).fill("NO_ELIGIBLE_AGENTS"));
    expect(String(stale[0])).toContain("store of leases is away");
  });

  test("who follows candidates is told when that begins and ends", async () => {
    const { calls, lose } = await aDiscovery();
    const leaving = new AbortController();
    open.push(async () => leaving.abort());
    const told: { stale: boolean; ids: string[] }[] = [];
    const follow = async (capability: string) => {
      const filter = { capabilities: [capability] };
      for await (const list of calls.watchCandidates({ filter }, { signal: leaving.signal })) {
        told.push({ stale: list.stale, ids: list.candidates.map(({ agentId }) => agentId).sort() });
      }
    };
    follow("python").catch(() => {});
    follow("cobol").catch(() => {});
    const last = (names: number) => told.findLast(({ ids }) => ids.length === names)?.stale;
    await vi.waitFor(() => expect([last(2), last(0)]).toEqual([false, false]));

    await lose(at(10));
    await vi.waitFor(() => expect([last(2), last(0)]).toEqual([true, true]));
    await lose(undefined);

    await vi.waitFor(() => expect([last(2), last(0)]).toEqual([false, false]));
  });

  test("the metrics and the log say so", async () => {
    const { metrics, roster, registry, lose } = await aDiscovery();
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line));
    const tell = (event: string, facts: object) => write(JSON.stringify({ event, ...facts }));
    tellStaleness(roster, tell as Parameters<typeof tellStaleness>[1]);
    const figure = async () =>
      Number(/^marketplace_discovery_stale\S* (\d)$/m.exec(await metrics.registry.metrics())?.[1]);

    const before = await figure();
    await lose(at(10));
    const away = await figure();
    registry.lose(at(5));
    await vi.waitFor(() => expect(roster.staleSinceMs()).toBe(at(5).getTime()));
    await lose(undefined);

    expect([before, away, await figure()]).toEqual([0, 1, 0]);
    expect(lines).toEqual([
      { event: "availability_lost", agents: 2, since: at(10).toISOString() },
      { event: "availability_known", agents: 2 },
    ]);
  });
});

test("while the registry itself is away no lease lapses either, and every answer says so", async () => {
  const { registry, roster, clock, online, said } = await aDiscovery();
  expect(await online()).toEqual(["a", "b"]);

  registry.setAway(true);
  clock.now = at(3_600);
  await vi.waitFor(() => expect(roster.staleSinceMs()).toBeDefined());
  const away = [await online(), await said()];
  registry.setAway(false);
  await vi.waitFor(() => expect(roster.staleSinceMs()).toBeUndefined());

  expect(away).toEqual([["a", "b"], Array(7).fill(true)]);
  expect([await online(), await said()]).toEqual([["a", "b"], Array(7).fill(false)]);
  clock.now = at(3_661);
  expect(await online()).toEqual(["b"]);
});

describe("once the registry's store of leases is back", () => {
  test("who is silent for the length of its lease is OFFLINE, who is heard of never was", async () => {
    const { registry, clock, lose, online } = await aDiscovery();
    const facts = { leaseExpires: at(60), leaseSeconds: 60 };
    for (const agentId of ["c", "d"]) registry.put(anAgent(agentId, facts));
    await vi.waitFor(async () => expect(await online()).toEqual(["a", "b", "c", "d"]));
    await lose(at(10));
    clock.now = at(3_600);

    await lose(undefined);
    clock.now = at(3_659);
    const held = await online();
    registry.put(anAgent("c", { leaseExpires: at(3_700), leaseSeconds: 60 }));
    // It was told before the store was lost, and comes only now.
    registry.put(anAgent("d", { ...facts, capabilities: ["python", "rust"] }));
    registry.put(anAgent("e"));
    await vi.waitFor(async () => expect(await online()).toContain("e"));
    const heard = await online();
    clock.now = at(3_660);

    expect(held).toEqual(["a", "b", "c", "d"]);
    expect(heard).toEqual(["a", "b", "c", "d", "e"]);
    expect(await online()).toEqual(["b", "c", "e"]);
  });
});
