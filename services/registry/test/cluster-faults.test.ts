import { setTimeout as pause } from "node:timers/promises";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  hasRedisServer,
  NO_REDIS_SERVER,
  startRedisCluster,
  type TestRedisCluster,
} from "@bourse/service/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { keysOf, SHARDS, shardOf } from "../src/redis/shards.ts";
import { refused } from "./refused.ts";
import { aDatabase, anId, aProfile, aReplica, aWatcher } from "./registry.ts";

const { ONLINE, OFFLINE } = AvailabilityState;
const LEASE = { seconds: 3_600n };
const timeout = { seconds: 600n };
const AGENTS = 30;
/** From one call of an agent to the next. */
const PACE_MS = 10;
/** Nodes by what the tests do to them; the first has a replica. */
const [REPLICATED, OTHER, LAST] = [0, 1, 2];

const isSkipped = !hasRedisServer() && process.env["CI"] !== "true";
if (isSkipped) test.skip(NO_REDIS_SERVER, () => {});

type Replica = Awaited<ReturnType<typeof aReplica>>;

describe.skipIf(isSkipped)("two replicas over a Redis Cluster of which", () => {
  const stack = new AsyncDisposableStack();
  const replicas: Replica[] = [];
  let cluster: TestRedisCluster;
  let databaseUrl: string;
  let agentIds: readonly string[];
  let watcher: ReturnType<typeof aWatcher>;

  beforeAll(async () => {
    cluster = stack.use(await startRedisCluster({ hasReplica: true }));
    databaseUrl = stack.use(await aDatabase()).url;
    replicas.push(await another(), await another());
    agentIds = Array.from({ length: AGENTS }, () => anId());
    const profile = aProfile({ maxConcurrent: 1_000 });
    await replica(0).operator.batchRegisterAgents({
      requests: agentIds.map((agentId) => ({ agentId, profile, lease: LEASE })),
    });
    watcher = stack.use(aWatcher(replica(1).operator));
  });
  afterAll(() => stack.disposeAsync());

  const another = async (): Promise<Replica> =>
    stack.use(await aReplica({ url: databaseUrl, redisUrl: cluster.url }));

  const replica = (nth: number) => replicas[nth % replicas.length] as Replica;

  /** A key of a shard: where it lies, everything of the shard lies. */
  const keyOf = (shard: number) => keysOf("registry").clock(shard);

  /** The agents whose shards lie on a node, and those of the other nodes. */
  async function agentsOf(node: number) {
    const asked = node === LAST ? OTHER : LAST;
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
    const owners = await Promise.all(shards.map((shard) => cluster.ownerOf(keyOf(shard), asked)));
    const { own = [], others = [] } = Object.groupBy(agentIds, (agentId) =>
      owners[shardOf(agentId)] === node ? "own" : "others",
    );
    expect(own.length * others.length).toBeGreaterThan(0);
    return { own, others };
  }

  async function availabilityAt(nth: number, agentId: string) {
    return (await replica(nth).operator.getAgent({ agentId })).agent?.availability;
  }

  const beat = (nth: number, agentId: string, inFlight: number) =>
    replica(nth).operator.heartbeat({ agentId, inFlight });

  /** Calls until it is taken: meanwhile it must be refused because Redis is away. */
  async function insist<T>(call: () => Promise<T>): Promise<T> {
    let answer: { readonly value: T } | undefined;
    await vi.waitFor(async () => {
      const outcome = await Promise.allSettled([call()]);
      if (outcome[0].status === "fulfilled") {
        answer = outcome[0];
        return;
      }
      expect(await refused(Promise.reject(outcome[0].reason))).toMatchObject({
        reason: "AVAILABILITY_UNAVAILABLE",
      });
      throw outcome[0].reason;
    });
    return (answer as { readonly value: T }).value;
  }

  /** Every replica and the watcher know the same of agents, and that is certain. */
  async function agreeOn(ids: readonly string[], inFlight: number, openSlots: number) {
    const known = { state: ONLINE, inFlight, openSlots, stale: false };
    for (const { operator } of replicas.slice(0, 2)) {
      await vi.waitFor(async () => {
        const { agents } = await operator.batchGetAgents({ agentIds: [...ids] });
        for (const { availability } of agents) expect(availability).toMatchObject(known);
      });
    }
    await vi.waitFor(() => {
      for (const id of ids) expect(watcher.latest(id)?.availability).toMatchObject(known);
    });
  }

  /** One slot at every agent and one report of work. */
  async function settle(slotId: string) {
    await Promise.all(
      agentIds.map(async (agentId, nth) => {
        await insist(() => beat(nth, agentId, 1));
        await insist(() => replica(nth).operator.acquireSlot({ agentId, slotId, timeout }));
      }),
    );
    await agreeOn(agentIds, 2, 1);
  }

  const release = (slotId: string) =>
    Promise.all(
      agentIds.map((agentId, nth) => replica(nth).operator.releaseSlot({ agentId, slotId })),
    );

  test("a hash slot moves to another node lose and double nothing that they take meanwhile", async () => {
    await settle("moved");
    const [agentId = ""] = (await agentsOf(OTHER)).own;
    const moved = agentIds.filter((id) => shardOf(id) === shardOf(agentId));
    const { others } = await agentsOf(OTHER);
    let isMoving = true;
    const turns = moved.map(async (id, nth) => {
      let turn = 0;
      for (; isMoving || turn === 0; await pause(PACE_MS)) {
        turn += 1;
        const slot = { agentId: id, slotId: `turn-${turn}`, timeout };
        await insist(() => replica(nth + turn).operator.acquireSlot(slot));
        await insist(() => beat(nth + turn, id, turn));
      }
      return { id, turn };
    });

    await cluster.moveSlot(keyOf(shardOf(agentId)), LAST, async () => {
      const refusal = await refused(beat(0, agentId, 1));
      expect(refusal.reason).toBe("AVAILABILITY_UNAVAILABLE");
      for (const id of others) await beat(1, id, 1);
    });
    isMoving = false;
    const ends = await Promise.all(turns);

    for (const { id, turn } of ends) await agreeOn([id], turn + turn + 1, turn + 1);
    await agreeOn(others, 2, 1);
    for (const { id, turn } of ends) {
      for (let nth = 1; nth <= turn; nth++) {
        const { released } = await replica(nth).operator.releaseSlot({
          agentId: id,
          slotId: `turn-${nth}`,
        });
        expect(released).toBe(true);
      }
    }
    await release("moved");
  });

  test.each([
    { title: "empty", isSaved: false },
    { title: "with what it has saved", isSaved: true },
  ])(
    "a node is killed and comes back $title go on with the others, and are right again",
    async (kept) => {
      const slotId = `before-${kept.isSaved}`;
      await settle(slotId);
      const { own, others } = await agentsOf(OTHER);
      const [gone = "", here = ""] = [own[0], others[0]];
      const known = await availabilityAt(0, gone);
      if (kept.isSaved) await cluster.nodes[OTHER]?.save();
      const late = { agentId: gone, slotId: "late", timeout };
      await replica(0).operator.acquireSlot(late);
      await vi.waitFor(() => expect(watcher.latest(gone)?.availability?.openSlots).toBe(2));

      await cluster.nodes[OTHER]?.kill();
      const refusals = await Promise.all([
        refused(beat(0, gone, 1)),
        refused(replica(1).operator.acquireSlot({ agentId: gone, slotId: "no", timeout })),
      ]);
      for (const [nth, agentId] of others.entries()) await beat(nth, agentId, 2);
      await replica(1).operator.acquireSlot({ agentId: here, slotId: "new", timeout });
      const meanwhile = await replica(1).operator.listAgents({});
      const replacement = await another();
      const silent = others.at(-1) ?? "";
      await replica(0).operator.heartbeat({ agentId: silent, lease: { seconds: 1n } });
      const { agents } = await replacement.operator.listAgents({});

      for (const { reason } of refusals) expect(reason).toBe("AVAILABILITY_UNAVAILABLE");
      expect(await availabilityAt(0, gone)).toMatchObject({
        ...{ state: ONLINE, stale: true, inFlight: known?.inFlight },
      });
      const stale = meanwhile.agents.filter(({ availability }) => availability?.stale === true);
      expect(stale.map((agent) => agent.agentId).sort()).toEqual([...own].sort());
      expect(agents.map((agent) => agent.agentId).sort()).toEqual([...agentIds].sort());
      await agreeOn(others.slice(1, -1), 3, 1);
      await agreeOn([here], 4, 2);
      await vi.waitFor(() => expect(watcher.latest(silent)?.availability?.state).toBe(OFFLINE));
      expect(await availabilityAt(0, silent)).toMatchObject({ state: OFFLINE, stale: false });
      await replica(0).operator.heartbeat({ agentId: silent, lease: LEASE });

      await cluster.nodes[OTHER]?.restart();

      // What was known of an agent holds for its lease; its slots are as the node has them.
      const openSlots = kept.isSaved ? 1 : 0;
      const back = { state: ONLINE, inFlight: 1 + openSlots, openSlots, stale: false };
      for (const agentId of own) {
        await vi.waitFor(() => expect(watcher.latest(agentId)?.availability).toMatchObject(back));
      }
      await Promise.all(own.map((agentId, nth) => insist(() => beat(nth, agentId, 5))));
      await agreeOn(own, 5 + openSlots, openSlots);
      await replica(0).operator.releaseSlot({ agentId: here, slotId: "new" });
      await release(slotId);
    },
  );

  test("a node answers nobody tell of what changes on the others, and refuse what is its own", async () => {
    await settle("frozen");
    const { own, others } = await agentsOf(OTHER);

    cluster.nodes[OTHER]?.freeze();
    const refusals = own.map((agentId, nth) => refused(beat(nth, agentId, 1)));
    for (const [nth, agentId] of others.entries()) await beat(nth, agentId, 3);
    await agreeOn(others, 4, 1);
    const reasons = (await Promise.all(refusals)).map(({ reason }) => reason);
    cluster.nodes[OTHER]?.thaw();

    expect(new Set(reasons)).toEqual(new Set(["AVAILABILITY_UNAVAILABLE"]));
    await Promise.all(own.map((agentId, nth) => insist(() => beat(nth, agentId, 7))));
    await agreeOn(own, 8, 1);
    await release("frozen");
  });

  test("a node dies whose replica takes its place go on there with what it knew", async () => {
    await settle("promoted");
    const { own } = await agentsOf(REPLICATED);
    const [agentId = ""] = own;

    await cluster.nodes[REPLICATED]?.kill();
    const refusal = await refused(beat(0, agentId, 1));
    await Promise.all(own.map((id, nth) => insist(() => beat(nth, id, 4))));

    expect(refusal.reason).toBe("AVAILABILITY_UNAVAILABLE");
    expect(await cluster.ownerOf(keyOf(shardOf(agentId)), OTHER)).toBe(3);
    await agreeOn(own, 5, 1);
    await release("promoted");
  });
});
