import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedis,
  type TestRedisServer,
} from "@bourse/service/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { aTask, bid, post } from "../support/task.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const LEASE_MS = 6_000;
const BEAT_MS = 500;

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

let redis: TestRedisServer;
let market: TestMarket;

beforeAll(async () => {
  if (isSkipped) return;
  redis = await startRedis();
  market = await startTestMarket({ redisUrl: redis.url });
});
afterAll(async () => {
  await market?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** An agent with a lease, which it keeps alive until it is stopped, whatever the market answers. */
async function aLeased(name: string, capability: string, leaseMs = LEASE_MS) {
  const agent = await market.agent(name, { capabilities: [capability] });
  const lease = { seconds: BigInt(leaseMs / 1_000) };
  await agent.registry.heartbeat({ agentId: agent.id, lease });
  const beat = () => agent.registry.heartbeat({ agentId: agent.id }).catch(() => {});
  const timer = setInterval(() => void beat(), BEAT_MS);
  return { ...agent, die: () => clearInterval(timer) };
}

/** How discovery sees agents, and what the answer says of that. */
async function seen(capability: string) {
  const filter = { capabilities: [capability] };
  const { agents, stale } = await market.operator.discovery.searchAgents({ filter });
  const states = agents.map(({ agentId, availability }) => [agentId, availability?.state] as const);
  return { stale, states: new Map(states) };
}

/** Looks again and again until it is disposed of, and keeps the states that were seen. */
function observed(look: () => Promise<readonly (AvailabilityState | undefined)[]>) {
  const states = new Set<AvailabilityState | undefined>();
  let isOver = false;
  const looking = (async () => {
    while (!isOver) for (const state of await look()) states.add(state);
  })();
  return {
    states,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await looking;
    },
  };
}

const refusalOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

test.skipIf(isSkipped)(
  "while Redis is away all go on with what is known and say so, and once it is back empty all settles by heartbeats",
  async () => {
    const capability = "outage";
    const filter = { capabilities: [capability] };
    const lives = await aLeased("lives", capability);
    const dies = await aLeased("dies", capability);
    const buyer = await market.buyer("buyer");
    const { discovery, registry } = market.operator;
    await vi.waitFor(async () => {
      expect([...(await seen(capability)).states.values()]).toEqual([ONLINE, ONLINE]);
    });
    const before = await discovery.selectAgent({ filter });
    await using observer = observed(async () => {
      const { agent } = await registry.getAgent({ agentId: lives.id });
      return [agent?.availability?.state, (await seen(capability)).states.get(lives.id)];
    });

    await redis.kill();
    dies.die();
    const killedMs = Date.now();
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(true));
    // No lease of then holds by the clock.
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(killedMs + 2 * LEASE_MS));
    const away = await seen(capability);
    const pick = await discovery.selectAgent({ filter });
    const nobody = await refusalOf(discovery.selectAgent({ filter: { capabilities: ["none"] } }));
    const place = await refusalOf(
      discovery.selectAgent({ filter, slot: { timeout: { seconds: 60n } } }),
    );
    const { agent } = await registry.getAgent({ agentId: dies.id });
    const taken = await bid(lives, await post(buyer, aTask({ capability })));

    await redis.restart();
    const backMs = Date.now();
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(false));
    await vi.waitFor(async () =>
      expect((await seen(capability)).states.get(dies.id)).toBe(OFFLINE),
    );
    const lapsedMs = Date.now();
    const after = await discovery.selectAgent({ filter, slot: { timeout: { seconds: 60n } } });
    lives.die();

    expect(before).toMatchObject({ stale: false, eligibleAgents: 2 });
    expect([...away.states.values()]).toEqual([ONLINE, ONLINE]);
    expect(pick).toMatchObject({ stale: true, eligibleAgents: 2 });
    expect(metadataOf(nobody)).toMatchObject({ missing_capability: "2", stale: "true" });
    expect(reasonOf(place)).toBe("SLOTS_UNAVAILABLE");
    expect(agent?.availability).toMatchObject({ state: ONLINE, stale: true });
    expect(taken.agentId).toBe(lives.id);
    expect(lapsedMs - backMs).toBeGreaterThanOrEqual(LEASE_MS);
    expect(after).toMatchObject({ stale: false, eligibleAgents: 1, agent: { agentId: lives.id } });
    expect([...observer.states]).toEqual([ONLINE]);
  },
);

test.skipIf(isSkipped)(
  "while Redis is away the registry may begin anew, and discovery goes on with what it knew, until agents are heard of",
  async () => {
    const capability = "outage-begun-anew";
    const agent = await aLeased("lives", capability);
    await vi.waitFor(async () => {
      expect([...(await seen(capability)).states.values()]).toEqual([ONLINE]);
    });
    await using observer = observed(async () => [...(await seen(capability)).states.values()]);
    const known = async () => {
      const { agent: one } = await market.operator.registry.getAgent({ agentId: agent.id });
      return one?.availability;
    };

    await redis.kill();
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(true));
    market.market.kill("registry");
    const blind = { state: OFFLINE, stale: true };
    await vi.waitFor(async () => expect(await known()).toMatchObject(blind));
    const profile = { description: "told by a registry that knows no lease" };
    const updateMask = { paths: ["description"] };
    await agent.registry.updateAgent({ agentId: agent.id, profile, updateMask });
    await vi.waitFor(async () => {
      const { agents } = await market.operator.discovery.searchAgents({
        filter: { text: "lease" },
      });
      expect(agents).toMatchObject([{ availability: { state: ONLINE, stale: true } }]);
    });
    await redis.restart();
    await vi.waitFor(async () =>
      expect(await known()).toMatchObject({ state: ONLINE, stale: false }),
    );
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(false));
    agent.die();

    expect([...observer.states]).toEqual([ONLINE]);
  },
);

/** Kills the registry and keeps the process that takes its place from serving; answers with what lets it. */
async function killRegistry(): Promise<() => void> {
  const killed = market.market.processOf("registry");
  market.market.kill("registry");
  const successor = () => {
    const process = market.market.processOf("registry");
    return process?.pid === killed?.pid ? 0 : (process?.pid ?? 0);
  };
  await expect.poll(successor, { interval: 5 }).toBeGreaterThan(0);
  const pid = successor();
  process.kill(pid, "SIGSTOP");
  return () => void process.kill(pid, "SIGCONT");
}

test.skipIf(isSkipped)(
  "while the registry is away discovery goes on with whom it knew and says so, and nobody who lives is ever OFFLINE",
  async () => {
    const capability = "registry-away";
    const filter = { capabilities: [capability] };
    // Much longer than it takes to tell that the registry is away.
    const leaseMs = 2 * LEASE_MS;
    const lives = await aLeased("lives", capability, leaseMs);
    const dies = await aLeased("dies", capability, leaseMs);
    await vi.waitFor(async () => {
      expect([...(await seen(capability)).states.values()]).toEqual([ONLINE, ONLINE]);
    });
    await using observer = observed(async () => [(await seen(capability)).states.get(lives.id)]);

    const restart = await killRegistry();
    dies.die();
    const killedMs = Date.now();
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(true));
    // No lease of then holds by the clock.
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(killedMs + leaseMs));
    const away = await market.operator.discovery.selectAgent({ filter });
    restart();
    await vi.waitFor(async () => expect((await seen(capability)).stale).toBe(false));
    await vi.waitFor(async () =>
      expect((await seen(capability)).states.get(dies.id)).toBe(OFFLINE),
    );
    lives.die();

    expect(away).toMatchObject({ stale: true, eligibleAgents: 2 });
    expect([...observer.states]).toEqual([ONLINE]);
  },
);
