import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type AgentEvent,
  type AgentOptions,
  minutes,
  money,
  runAgent,
  seconds,
} from "../src/index.ts";
import { type MarketPeer, openMarket, refusal } from "./support/market.ts";

const TERMS = { price: money("2.50", "EUR"), latency: minutes(25) };
const away = () => new ConnectError("away", Code.Unavailable);
const running: { stop: () => void; ended: Promise<void> }[] = [];

afterEach(async () => {
  for (const { stop } of running) stop();
  await Promise.allSettled(running.splice(0).map(({ ended }) => ended));
});

/** Runs the agent "ada", who can do python, bids on everything and is done at once. */
function start(peer: MarketPeer, facts: Partial<AgentOptions> = {}) {
  const stopping = new AbortController();
  const events: AgentEvent[] = [];
  const ended = runAgent({
    market: peer.market,
    agentId: "ada",
    profile: { capabilities: ["python"] },
    bid: () => TERMS,
    work: () => ({ output: { answer: 42 } }),
    signal: stopping.signal,
    onEvent: (event) => events.push(event),
    random: () => 0,
    ...facts,
  });
  ended.catch(() => {});
  const agent = { stop: () => stopping.abort(), ended, events };
  running.push(agent);
  return {
    ...agent,
    kinds: () => events.map(({ kind }) => kind).filter((kind) => kind !== "disconnected"),
  };
}

describe("an agent", () => {
  test("that neither bids nor works is there to be called: it tells its load and looks at no task", async () => {
    const peer = openMarket(10);
    const alone = { market: peer.market, agentId: "eve", profile: { capabilities: ["echo"] } };
    const stopping = new AbortController();
    peer.post({ capabilities: ["echo"] });
    const ended = runAgent({ ...alone, callsUnderWay: () => 7, signal: stopping.signal });
    await vi.waitFor(() => expect(peer.heartbeats.length).toBeGreaterThan(2));

    expect(peer.heartbeats[0]?.inFlight).toBe(7);
    expect(peer.openStreams()).toBe(0);
    expect(peer.bids).toEqual([]);
    stopping.abort();
    await ended;
    expect(peer.heartbeats.at(-1)?.declaredState).toBe(AvailabilityState.OFFLINE);
  });

  test("considers no more than 256 tasks at once, and all in the end", async () => {
    const peer = openMarket();
    for (let n = 0; n < 400; n += 1) peer.post();
    let open = 0;
    let most = 0;
    let asked = 0;
    const gate = Promise.withResolvers<void>();
    start(peer, {
      bid: async () => {
        asked += 1;
        open += 1;
        most = Math.max(most, open);
        await gate.promise;
        open -= 1;
        return { decline: "no" };
      },
    });
    await vi.waitFor(() => expect(asked).toBe(256));

    gate.resolve();

    await vi.waitFor(() => expect(peer.declines).toHaveLength(400));
    expect(most).toBe(256);
  });

  test("registers with a lease, in place of an earlier registration", async () => {
    const peer = openMarket();
    start(peer, { lease: seconds(12) });

    await vi.waitFor(() => expect(peer.registrations).toHaveLength(1));

    expect(peer.registrations[0]).toMatchObject({
      agentId: "ada",
      profile: { capabilities: ["python"] },
      declaredState: AvailabilityState.ONLINE,
      lease: { seconds: 12n },
      replaceExisting: true,
    });
    expect(peer.registrations[0]?.requestId).not.toBe("");
  });

  test("bids once on each open task that it is able to do, now and later", async () => {
    const peer = openMarket();
    const before = peer.post();
    peer.post({ capabilities: ["rust"] });
    start(peer);
    await vi.waitFor(() => expect(peer.bids).toHaveLength(1));

    peer.move(before, TaskState.OPEN);
    const after = peer.post();
    await vi.waitFor(() => expect(peer.bids).toHaveLength(2));
    peer.cut();
    const last = peer.post();

    await vi.waitFor(() => expect(peer.bids).toHaveLength(3));
    expect(peer.bids.map(({ taskId }) => taskId)).toEqual([before, after, last]);
    expect(peer.bids[0]).toMatchObject({ agentId: "ada", terms: { price: TERMS.price } });
  });

  test("declines with a reason, lets a task pass, and never looks at its own", async () => {
    const peer = openMarket();
    const asked: string[] = [];
    const declined = peer.post();
    peer.post({ requester: "ada" });
    const passed = peer.post();
    start(peer, {
      bid(task) {
        asked.push(task.taskId);
        return task.taskId === declined ? { decline: "too dull" } : undefined;
      },
    });

    await vi.waitFor(() => expect(peer.declines).toEqual(["too dull"]));
    await vi.waitFor(() => expect(asked).toEqual([declined, passed]));
    expect(peer.bids).toEqual([]);
  });

  test("works on what it wins and delivers with the epoch of its award, once", async () => {
    const peer = openMarket();
    const taskId = peer.post();
    const worked: bigint[] = [];
    const agent = start(peer, {
      work(task) {
        worked.push(task.award?.epoch ?? 0n);
        return { output: { answer: 42 }, actualCost: money("2.10", "EUR") };
      },
    });
    await vi.waitFor(() => expect(peer.bids).toHaveLength(1));

    peer.award(taskId, "ada");
    await vi.waitFor(() => expect(agent.kinds()).toContain("delivered"));
    peer.cut();
    const other = peer.post();
    await vi.waitFor(() => expect(peer.bids).toHaveLength(2));

    expect(worked).toEqual([1n]);
    expect(peer.results).toMatchObject([
      { taskId, agentId: "ada", awardEpoch: 1n, result: { output: { answer: 42 } } },
    ]);
    expect(peer.task(other).state).toBe(TaskState.OPEN);
    expect(agent.kinds()).toEqual(["registered", "bid", "won", "delivered", "bid"]);
  });

  test("takes up an award that it finds when it starts", async () => {
    const peer = openMarket();
    const taskId = peer.post();
    peer.award(taskId, "ada");
    start(peer);

    await vi.waitFor(() => expect(peer.results).toHaveLength(1));
  });

  test("ends its work when the task goes to another, and takes it up anew when it comes back", async () => {
    const peer = openMarket();
    const taskId = peer.post();
    const signals: AbortSignal[] = [];
    const agent = start(peer, {
      work: (_task, signal) => {
        signals.push(signal);
        return signals.length === 1 ? ended(signal) : { output: { answer: 42 } };
      },
    });
    peer.award(taskId, "ada");
    await vi.waitFor(() => expect(signals).toHaveLength(1));

    peer.award(taskId, "bob");
    await vi.waitFor(() => expect(agent.kinds()).toContain("lost"));
    peer.award(taskId, "ada");

    await vi.waitFor(() => expect(peer.results).toHaveLength(1));
    expect(peer.results[0]?.awardEpoch).toBe(3n);
    expect(signals[0]?.aborted).toBe(true);
  });

  test("goes on with other tasks when a bid is refused or its own code throws", async () => {
    const peer = openMarket();
    const agent = start(peer, {
      bid: (task) => {
        if (task.taskId.endsWith("0")) throw new Error("cannot think");
        return TERMS;
      },
      work: () => {
        throw new Error("cannot work");
      },
    });
    peer.fail("submitBid", refusal(Code.FailedPrecondition, "BIDDING_CLOSED"));

    peer.post();
    await vi.waitFor(() => expect(agent.kinds()).toEqual(["registered", "failed"]));
    peer.post();
    await vi.waitFor(() => expect(agent.kinds()).toEqual(["registered", "failed", "failed"]));
    const taskId = peer.post();
    await vi.waitFor(() => expect(peer.bids).toHaveLength(1));
    peer.award(taskId, "ada");

    await vi.waitFor(() => expect(agent.kinds().at(-1)).toBe("failed"));
    const errors = agent.events.flatMap((e) => (e.kind === "failed" ? [e.error] : []));
    expect(errors.map((error) => reasonOf(error) ?? (error as Error).message)).toEqual([
      "cannot think",
      "BIDDING_CLOSED",
      "cannot work",
    ]);
  });

  test("tries again what fails for a moment, and tells of it", async () => {
    const peer = openMarket();
    peer.fail("registerAgent", away());
    peer.fail("watchTasks", away(), away());
    peer.fail("submitBid", away(), away());
    peer.fail("submitResult", away());
    peer.fail("keepAlive", away());
    const agent = start(peer);
    const taskId = peer.post();
    await vi.waitFor(() => expect(peer.bids).toHaveLength(1));

    peer.award(taskId, "ada");

    await vi.waitFor(() => expect(peer.results).toHaveLength(1));
    expect(agent.events.filter(({ kind }) => kind === "disconnected")).toHaveLength(7);
  });

  test("does not insist on what is refused for good", async () => {
    const peer = openMarket();
    const agent = start(peer);
    const taskId = peer.post();
    peer.fail("submitResult", refusal(Code.Aborted, "STALE_AWARD_EPOCH"));

    peer.award(taskId, "ada");

    await vi.waitFor(() => expect(agent.kinds().at(-1)).toBe("failed"));
    expect(peer.results).toEqual([]);
  });
});

describe("the lease", () => {
  test("is kept by heartbeats as often as the market asks", async () => {
    const peer = openMarket(5);
    start(peer, { lease: seconds(12) });

    await vi.waitFor(() => expect(peer.heartbeats.length).toBeGreaterThan(3));

    expect(peer.heartbeats[0]).toMatchObject({
      agentId: "ada",
      inFlight: 0,
      lease: { seconds: 12n },
    });
  });

  test.each([
    { what: "breaks", spoil: (peer: MarketPeer) => peer.fail("keepAlive", away()) },
    { what: "is silent", spoil: (peer: MarketPeer) => peer.hush() },
  ])("is kept on another stream when one $what", async ({ spoil }) => {
    const peer = openMarket(5);
    const agent = start(peer, { lease: durationFromMs(150) });
    await vi.waitFor(() => expect(peer.heartbeats.length).toBeGreaterThan(0));

    spoil(peer);

    const lost = () => agent.events.filter(({ kind }) => kind === "disconnected").length;
    await vi.waitFor(() => expect(lost()).toBe(1));
    const before = peer.heartbeats.length;
    await vi.waitFor(() => expect(peer.heartbeats.length).toBeGreaterThan(before + 2));
    expect(lost()).toBe(1);
  });

  test("comes with the number of tasks under way, as soon as that changes", async () => {
    const peer = openMarket();
    const finished = Promise.withResolvers<void>();
    start(peer, {
      work: async () => {
        await finished.promise;
        return {};
      },
    });
    const load = () => peer.heartbeats.at(-1)?.inFlight;
    await vi.waitFor(() => expect(load()).toBe(0));

    for (const taskId of [peer.post(), peer.post()]) peer.award(taskId, "ada");
    await vi.waitFor(() => expect(load()).toBe(2));
    finished.resolve();

    await vi.waitFor(() => expect(load()).toBe(0));
    expect(peer.results).toHaveLength(2);
  });
});

describe("an agent that is stopped", () => {
  test("ends its streams and says that it is OFFLINE", async () => {
    const peer = openMarket();
    const agent = start(peer);
    await vi.waitFor(() => expect(peer.openStreams()).toBe(2));

    agent.stop();
    await agent.ended;

    expect(peer.heartbeats.at(-1)).toMatchObject({
      agentId: "ada",
      declaredState: AvailabilityState.OFFLINE,
    });
    await vi.waitFor(() => expect(peer.openStreams()).toBe(0));
  });

  test("waits for its work, and still delivers what is done", async () => {
    const peer = openMarket();
    const taskIds = [peer.post(), peer.post()];
    const started: string[] = [];
    const finished = Promise.withResolvers<void>();
    const agent = start(peer, {
      work: async (task, signal) => {
        started.push(task.taskId);
        await ended(signal).catch(() => {});
        await finished.promise;
        if (task.taskId === taskIds[0]) throw new Error("not done");
        return { output: { done: true } };
      },
    });
    for (const taskId of taskIds) peer.award(taskId, "ada");
    await vi.waitFor(() => expect(started).toHaveLength(2));

    agent.stop();
    await vi.waitFor(() => expect(peer.openStreams()).toBe(0));
    finished.resolve();
    await agent.ended;

    expect(peer.results.map(({ taskId }) => taskId)).toEqual([taskIds[1]]);
    expect(agent.kinds()).not.toContain("failed");
  });

  test("stops while the market is away", async () => {
    const peer = openMarket();
    peer.fail("registerAgent", ...Array.from({ length: 100 }, away));
    const agent = start(peer);
    await vi.waitFor(() => expect(agent.events.length).toBeGreaterThan(0));

    agent.stop();

    await expect(agent.ended).resolves.toBeUndefined();
    expect(peer.registrations).toEqual([]);
  });

  test("by the market, with a wrong token or without a registration, tells why", async () => {
    const stranger = openMarket();
    stranger.fail("registerAgent", refusal(Code.Unauthenticated, "UNAUTHENTICATED"));
    const removed = openMarket(5);
    const agent = start(removed);
    await vi.waitFor(() => expect(removed.openStreams()).toBe(2));

    removed.fail("keepAlive", refusal(Code.NotFound, "AGENT_NOT_FOUND"));

    await expect(start(stranger).ended).rejects.toThrow("UNAUTHENTICATED");
    await expect(agent.ended).rejects.toThrow("AGENT_NOT_FOUND");
    await vi.waitFor(() => expect(removed.openStreams()).toBe(0));
  });
});

/** Work without an end of its own. */
function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
