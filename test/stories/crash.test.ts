import { AwardPolicy, type Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { MovementKind, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { creditsMicros } from "@bourse/scoring";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { accountOf, allTold, creditsOf, proveBooks } from "../support/books.ts";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { persist } from "../support/persistence.ts";
import { aTask, terms } from "../support/task.ts";
import { seconds } from "../support/time.ts";

/** Postgres is killed like a service: what was acknowledged must be there when it comes back. */
const SERVICES = ["registry", "auction", "ledger", "discovery", "postgres"] as const;
const LIFECYCLES = 20;
const BUDGET = 10_000;

/** How a lifecycle is meant to go: most are accepted, some rejected, some reported in one step, some called off. */
const ENDS = ["accept", "accept", "reject", "complete", "cancel"] as const;
type End = (typeof ENDS)[number];

/** Calls that take a task to each end. */
const STEPS: Readonly<Record<End, number>> = { accept: 7, reject: 7, complete: 6, cancel: 5 };

let market: TestMarket;
let buyer: Actor;
let winner: Actor;
let loser: Actor;

beforeAll(async () => {
  market = await startTestMarket({ durable: true });
  buyer = await market.buyer("buyer", eur(BUDGET));
  winner = await market.agent("winner");
  loser = await market.agent("loser");
  await vi.waitFor(async () => {
    const { agents } = await recommended();
    expect(agents).toHaveLength(2);
  });
});
afterAll(() => market?.[Symbol.asyncDispose]());

function recommended() {
  return buyer.discovery.recommendAgents({ capability: "iso_construction" });
}

/** Drives one task from post to its end as three clients that do not give up; tells after each step. */
async function live(name: string, end: End, onStep: () => void): Promise<Task> {
  const step = async <T>(call: () => Promise<T>): Promise<T> => {
    const answer = await persist(call);
    onStep();
    return answer;
  };
  await step(recommended);
  const { task } = await step(() =>
    buyer.auction.postTask({ requestId: `post-${name}`, requester: buyer.id, spec: aTask() }),
  );
  const taskId = task?.taskId ?? "";
  await Promise.all([
    step(() => submit(`bid-${name}`, loser, taskId, 2.5)),
    step(() => submit(`bid-${name}`, winner, taskId, 0.5)),
  ]);
  if (end === "cancel") {
    return (await step(() => buyer.auction.cancelTask({ taskId }))).task as Task;
  }
  const { task: awarded } = await step(() => buyer.auction.awardTask({ taskId }));
  expect(awarded?.award?.agentId).toBe(winner.id);
  if (end === "complete") {
    const report = { taskId, success: true, actualLatency: seconds(600) };
    return (await step(() => buyer.auction.completeTask(report))).task as Task;
  }
  const awardEpoch = awarded?.award?.epoch ?? 0n;
  const delivery = { taskId, agentId: winner.id, awardEpoch, result: { reference: name } };
  await step(() => winner.auction.submitResult(delivery));
  const judged =
    end === "accept"
      ? await step(() => buyer.auction.acceptResult({ taskId }))
      : await step(() => buyer.auction.rejectResult({ taskId, evaluation: "no" }));
  return judged.task as Task;
}

function submit(requestId: string, agent: Actor, taskId: string, price: number) {
  const request = { requestId, taskId, agentId: agent.id, terms: terms({ price: eur(price) }) };
  return agent.auction.submitBid(request);
}

/**
 * Twenty lifecycles at once; `service` is killed when they have done so many steps: while tasks are posted and bid for,
 * while they are awarded, and while they are judged and the follow-ups are under way.
 */
async function liveThroughDeathsOf(service: (typeof SERVICES)[number]): Promise<readonly Task[]> {
  const total = (LIFECYCLES * ENDS.reduce((sum, end) => sum + STEPS[end], 0)) / ENDS.length;
  const kills = new Set([0.3, 0.65, 0.85, 0.95].map((part) => Math.floor(total * part)));
  let steps = 0;
  const onStep = () => {
    steps += 1;
    if (kills.has(steps)) market.market.kill(service);
  };
  const lives = Array.from({ length: LIFECYCLES }, (_, index) =>
    live(`${service}-${index}`, ENDS[index % ENDS.length] as End, onStep),
  );
  const ended = await Promise.all(lives);
  expect(steps).toBe(total);
  await market.market.serving();
  return ended;
}

describe("a market whose services are killed one after the other, again and again amid twenty tasks", () => {
  const tasks: Task[] = [];

  test.each(SERVICES)("brings every task to its end through the deaths of %s", async (service) => {
    const before = market.market.processOf(service);

    const ended = await liveThroughDeathsOf(service);

    expect(market.market.processOf(service)).not.toEqual(before);
    const states = ended.map(({ state }) => state);
    expect(states).toEqual(
      states.map((_, index) => {
        const end = ENDS[index % ENDS.length];
        if (end === "cancel") return TaskState.CANCELLED;
        return end === "reject" ? TaskState.FAILED : TaskState.SUCCEEDED;
      }),
    );
    tasks.push(...ended);
  });

  test("has told every follow-up in the end", async () => {
    await allTold(market, 30_000);
  });

  test("knows every task once, in the one end that its requester was told", async () => {
    const stored = await allTasks();

    expect(stored.map(({ taskId, state }) => [taskId, state]).sort()).toEqual(
      tasks.map(({ taskId, state }) => [taskId, state]).sort(),
    );
  });

  test("has paid each accepted task once and refunded each failed one once", async () => {
    const movements = await Promise.all(tasks.filter(isAwarded).map(moneyOf));

    expect(movements).toEqual(
      tasks.filter(isAwarded).map(({ state }) =>
        state === TaskState.SUCCEEDED
          ? { state: TransactionState.SETTLED, kinds: [MovementKind.HOLD, MovementKind.POST] }
          : {
              state: TransactionState.CANCELLED,
              kinds: [MovementKind.HOLD, MovementKind.RELEASE],
            },
      ),
    );
  });

  test("holds no transaction beside those of its awards, and no money beside what is due", async () => {
    const { transactions } = await market.operator.ledger.listTransactions({ pageSize: 1_000 });
    const succeeded = tasks.filter(({ state }) => state === TaskState.SUCCEEDED).length;
    const paid = BigInt(succeeded) * 500_000n;

    expect(transactions.map(({ transactionId }) => transactionId).sort()).toEqual(
      tasks.flatMap(({ award }) => award?.transactionId ?? []).sort(),
    );
    expect(await accountOf(market, buyer.id, "EUR")).toMatchObject({
      postedMicros: BigInt(BUDGET) * 1_000_000n - paid,
      heldMicros: 0n,
    });
    expect(await accountOf(market, winner.id, "EUR")).toMatchObject({ postedMicros: paid });
  });

  test("has counted each outcome once in the winner's reputation, and none in the loser's", async () => {
    const { agents } = await market.operator.registry.batchGetAgents({
      agentIds: [winner.id, loser.id],
    });
    const count = (state: TaskState) => BigInt(tasks.filter((each) => each.state === state).length);

    expect(agents.map(({ reputation }) => reputation)).toMatchObject([
      {
        completedTasks: count(TaskState.SUCCEEDED),
        failedTasks: count(TaskState.FAILED),
      },
      { completedTasks: 0n, failedTasks: 0n },
    ]);
  });

  test("has issued each task's credits once", async () => {
    const expected = tasks.reduce((sum, task) => sum + creditsOfTask(task), 0n);

    expect(await creditsOf(market, winner.id)).toBe(expected);
    expect(await creditsOf(market, loser.id)).toBe(0n);
  });

  test("has the end of each task on its record once, and books that can be proved", async () => {
    const types = ["task_completed", "task_cancelled"];
    const { events } = await market.auditor.lineage.queryEvents({ types, pageSize: 1_000 });

    expect(events.map(({ taskId }) => taskId).sort()).toEqual(
      tasks.map(({ taskId }) => taskId).sort(),
    );
    await proveBooks(market);
  });
});

describe("a bidding window that ends while the auction is dead", () => {
  test("is closed when the auction is back, by an award or by an end", async () => {
    const window = { awardPolicy: AwardPolicy.ON_CLOSE, biddingWindow: seconds(1) };
    const withBid = await postFor(window);
    const without = await postFor(window);
    await submit("bid-window", winner, withBid, 2);

    market.market.kill("auction");

    const options = { interval: 100 };
    const stateOf = async (taskId: string) =>
      (await persist(() => buyer.auction.getTask({ taskId }))).task?.state;
    await expect.poll(() => stateOf(withBid), options).toBe(TaskState.AWARDED);
    await expect.poll(() => stateOf(without), options).toBe(TaskState.EXPIRED);
  });

  async function postFor(window: Parameters<typeof aTask>[0]): Promise<string> {
    const { task } = await buyer.auction.postTask({ requester: buyer.id, spec: aTask(window) });
    return task?.taskId ?? "";
  }
});

function isAwarded(task: Task): boolean {
  return task.award !== undefined;
}

async function moneyOf(task: Task) {
  const transactionId = task.award?.transactionId ?? "";
  const found = await market.operator.ledger.getTransaction({ transactionId });
  return {
    state: found.transaction?.state,
    kinds: found.movements.map(({ kind }) => kind),
  };
}

function creditsOfTask({ outcome }: Task): bigint {
  if (outcome?.estimatedLatency === undefined || outcome.actualLatency === undefined) return 0n;
  return creditsMicros({
    success: outcome.success,
    bidMicros: outcome.price?.micros ?? 0n,
    estimatedLatencyMs: BigInt(durationMs(outcome.estimatedLatency)),
    actualLatencyMs: BigInt(durationMs(outcome.actualLatency)),
  });
}

async function allTasks(): Promise<readonly Task[]> {
  return (await market.operator.auction.listTasks({ pageSize: 1_000 })).tasks;
}
