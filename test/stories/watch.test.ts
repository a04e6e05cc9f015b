import type { WatchTasksResponse } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { WatchAgentsResponse } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { refusal } from "../support/refusal.ts";
import { award, bid, deliver, post } from "../support/task.ts";
import { type Watch, watch } from "../support/watch.ts";

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

function watchTasks(viewer: Actor, resumeToken = ""): Watch<WatchTasksResponse> {
  const request = { requester: viewer.id, resumeToken };
  return watch((signal) => viewer.auction.watchTasks(request, { signal }));
}

function watchAgents({ operator }: TestMarket, resumeToken = ""): Watch<WatchAgentsResponse> {
  return watch((signal) => operator.registry.watchAgents({ resumeToken }, { signal }));
}

function synced({ event }: { readonly event: { readonly case?: string | undefined } }): boolean {
  return event.case === "synced";
}

function taskIn(state: TaskState) {
  return ({ event }: WatchTasksResponse) => event.case === "task" && event.value.state === state;
}

function agentSeen(agentId: string, described: string) {
  return ({ event }: WatchAgentsResponse) =>
    event.case === "agent" &&
    event.value.agentId === agentId &&
    event.value.profile?.description === described;
}

describe("a watcher of tasks", () => {
  test("sees the whole road of a task, step by step", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    await using events = watchTasks(buyer);
    await events.next(synced);

    const task = await post(buyer);
    await events.next(taskIn(TaskState.OPEN));
    await bid(agent, task);
    const awarded = await award(buyer, task);
    await events.next(taskIn(TaskState.AWARDED));
    await deliver(agent, awarded);
    await events.next(taskIn(TaskState.DELIVERED));
    await buyer.auction.acceptResult({ taskId: task.taskId });
    const last = await events.next(taskIn(TaskState.SUCCEEDED));

    expect(last.event.value).toMatchObject({ taskId: task.taskId, award: { agentId: agent.id } });
  });

  test("resumes by token where it stopped, and is shown what it missed and nothing else", async () => {
    const buyer = await market.buyer("buyer");
    const agent = await market.agent("agent");
    const seen = await post(buyer);
    const left = await leaveAfterSnapshot(buyer);

    const missed = await post(buyer);
    await bid(agent, seen);
    await deliver(agent, await award(buyer, seen));
    await using again = watchTasks(buyer, left);
    const shown: (readonly [string, TaskState])[] = [];
    await again.next((response) => {
      const { event } = response;
      if (event.case === "task") shown.push([event.value.taskId, event.value.state]);
      return synced(response);
    });

    expect(shown.sort()).toEqual(
      [
        [missed.taskId, TaskState.OPEN],
        [seen.taskId, TaskState.DELIVERED],
      ].sort(),
    );
  });

  test("is told when its token is of another market", async () => {
    const buyer = await market.buyer("buyer");
    await using events = watchTasks(buyer, "123456-elsewhere.77");

    const refused = await refusal(events.next(synced));

    expect(refused).toMatchObject({ code: "InvalidArgument", reason: "INVALID_RESUME_TOKEN" });
  });

  async function leaveAfterSnapshot(buyer: Actor): Promise<string> {
    await using events = watchTasks(buyer);
    return (await events.next(synced)).resumeToken;
  }
});

describe("a watcher of agents", () => {
  test("sees an agent come, change and go", async () => {
    const bystander = await market.agent("bystander", { description: "was there" });
    await using events = watchAgents(market);
    await events.next(agentSeen(bystander.id, "was there"));
    await events.next(synced);

    const agent = await market.agent("agent", { description: "came" });
    await events.next(agentSeen(agent.id, "came"));
    await agent.registry.updateAgent({
      agentId: agent.id,
      profile: { description: "changed" },
      updateMask: { paths: ["description"] },
    });
    await events.next(agentSeen(agent.id, "changed"));
    await agent.registry.unregisterAgent({ agentId: agent.id });
    const gone = await events.next(
      ({ event }) => event.case === "agent" && event.value.unregisterTime !== undefined,
    );

    expect(gone.event.value).toMatchObject({ agentId: agent.id });
  });

  test("resumes by token and is shown the tombstone of an agent that left meanwhile", async () => {
    const agent = await market.agent("agent");
    const token = await leaveAfterSnapshot();
    await agent.registry.unregisterAgent({ agentId: agent.id });
    await using again = watchAgents(market, token);

    const shown: string[] = [];
    await again.next((response) => {
      const { event } = response;
      if (event.case === "agent" && event.value.unregisterTime) shown.push(event.value.agentId);
      return synced(response);
    });

    expect(shown).toEqual([agent.id]);
  });

  async function leaveAfterSnapshot(): Promise<string> {
    await using events = watchAgents(market);
    return (await events.next(synced)).resumeToken;
  }
});
