import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "@bourse/client";
import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { reasonOf } from "@bourse/rpc";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedisCluster,
} from "@bourse/service/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { award, bid, deliver, look, post } from "../support/task.ts";

const AGENTS = 12;
const CALLERS = 4;
/** From one call to the next. */
const PACE_MS = 10;
const LEASE = { seconds: 600n };
const CAPABILITY = "iso_construction";

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

/** A place that a caller could not give back yet. */
interface Place {
  readonly agentId: string;
  readonly slotId: string;
}

describe.skipIf(isSkipped)("a market over a Redis Cluster, with two workers of discovery,", () => {
  const stack = new AsyncDisposableStack();
  const agents: Actor[] = [];
  const callers: Connection[] = [];
  const kept: Place[] = [];
  const routed: string[] = [];
  const refusals: string[] = [];
  let cluster: TestRedisCluster;
  let market: TestMarket;
  let isOver = false;

  beforeAll(async () => {
    cluster = stack.use(await startRedisCluster());
    market = stack.use(await startTestMarket({ redisUrl: cluster.url, workers: 2 }));
    for (let nth = 0; nth < AGENTS; nth++) agents.push(await market.agent("agent"));
    for (const agent of agents) await beat(agent);
    for (let nth = 0; nth < CALLERS; nth++) callers.push(await market.as("operator"));
    await vi.waitFor(async () => {
      for (const { discovery } of callers) {
        const { totalSize } = await discovery.searchAgents({});
        expect(totalSize).toBe(BigInt(AGENTS));
      }
    });
    const lives = [beatOn(), ...callers.map(callOn)];
    stack.defer(async () => {
      isOver = true;
      await Promise.all(lives);
    });
  });
  afterAll(() => stack.disposeAsync());

  async function beat({ id: agentId, registry }: Actor): Promise<void> {
    await registry.heartbeat({ agentId, inFlight: 0, lease: LEASE });
  }

  /** What is refused because a part of Redis is away is left; anything else is a fault. */
  async function leave(call: Promise<unknown>): Promise<boolean> {
    const reason = await call.then(
      () => undefined,
      (error: unknown) => reasonOf(error) ?? String(error),
    );
    if (reason !== undefined && reason !== "AVAILABILITY_UNAVAILABLE") refusals.push(reason);
    return reason === undefined;
  }

  /** Agents say that they live, whether they are heard or not. */
  async function beatOn(): Promise<void> {
    for (; !isOver; await pause(PACE_MS)) {
      for (const agent of agents) await leave(beat(agent));
    }
  }

  /** A caller takes a place at the next agent and gives it back, again and again. */
  async function callOn({ discovery, registry }: Connection): Promise<void> {
    for (; !isOver; await pause(PACE_MS)) {
      const answer = await discovery
        .selectAgent({
          filter: { capabilities: [CAPABILITY] },
          strategy: SelectionStrategy.ROUND_ROBIN,
          slot: { timeout: LEASE },
        })
        .catch((error: unknown) => void refusals.push(reasonOf(error) ?? String(error)));
      if (answer?.slot === undefined) continue;
      const { agentId, slotId } = answer.slot;
      routed.push(agentId);
      const isGiven = await leave(registry.releaseSlot({ agentId, slotId }));
      if (!isGiven) kept.push({ agentId, slotId });
    }
  }

  /** Waits for so many more calls, and answers with whom they went to. */
  async function calls(count: number): Promise<ReadonlySet<string>> {
    const before = routed.length;
    await vi.waitFor(() => expect(routed.length).toBeGreaterThanOrEqual(before + count));
    return new Set(routed.slice(before));
  }

  async function staleIds(): Promise<readonly string[]> {
    const { agents } = await market.operator.registry.listAgents({});
    expect(agents).toHaveLength(AGENTS);
    return agents.filter(({ availability }) => availability?.stale).map(({ agentId }) => agentId);
  }

  /** Everybody is there, has nothing to do, and is called. */
  async function isWell(): Promise<void> {
    for (const { agentId, slotId } of kept.splice(0)) {
      await market.operator.registry.releaseSlot({ agentId, slotId });
    }
    await vi.waitFor(async () => expect(await staleIds()).toEqual([]));
    const everybody = new Set(agents.map(({ id }) => id));
    await vi.waitFor(async () => expect(await calls(AGENTS * 2)).toEqual(everybody));
    expect(refusals).toEqual([]);
  }

  /** A task from post to payment, of which agents of every shard may have part. */
  async function aTaskIsPaid(bidders: readonly Actor[]): Promise<void> {
    const buyer = await market.buyer("buyer");
    const task = await post(buyer);
    for (const bidder of bidders) await bid(bidder, task);
    const awarded = await award(buyer, task);
    const winner = agents.find(({ id }) => id === awarded.award?.agentId) as Actor;
    await deliver(winner, awarded);
    await buyer.auction.acceptResult({ taskId: task.taskId });
    expect((await look(buyer, task)).state).toBe(TaskState.SUCCEEDED);
  }

  test("routes every call while a hash slot with live agents moves to another node", async () => {
    const shard = "registry:{registry-3}:clock";
    const to = ((await cluster.ownerOf(shard)) + 1) % 3;

    await cluster.moveSlot(shard, to, async () => void (await calls(AGENTS)));

    await isWell();
  });

  test("routes every call to agents on the other nodes while one is dead, and to all when it is back", async () => {
    await cluster.nodes[1]?.kill();
    await vi.waitFor(async () => expect(await staleIds()).not.toEqual([]));
    const stale = await staleIds();
    const called = await calls(AGENTS * 2);
    await aTaskIsPaid(agents);

    expect(stale.length).toBeLessThan(AGENTS);
    expect(stale.filter((id) => called.has(id))).toEqual([]);
    await cluster.nodes[1]?.restart();
    await isWell();
  });

  test("ends with every place given back and every agent there", async () => {
    isOver = true;
    for (const { agentId, slotId } of kept.splice(0)) {
      await market.operator.registry.releaseSlot({ agentId, slotId });
    }

    await vi.waitFor(async () => {
      const { agents } = await market.operator.registry.listAgents({});
      for (const { availability } of agents) {
        const idle = { state: AvailabilityState.ONLINE, inFlight: 0, openSlots: 0, stale: false };
        expect(availability).toMatchObject(idle);
      }
    });
  });
});
