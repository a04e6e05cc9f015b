import {
  AwardPolicy,
  PaymentRule,
  ScoringPolicy,
  type Task,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { HOUR, NOON, noonPlus } from "./support/clock.ts";
import { worldForFile } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import { aSpec, eur, openWorld, postWithBids, stateOf } from "./support/world.ts";

const { world, instance, operator } = await worldForFile();
const buyer = await instance.as("agent:buyer");

async function countTasks(): Promise<number> {
  const { rows } = await world.pool.query<{ n: string }>("select count(*) as n from tasks");
  return Number(rows[0]?.n);
}

describe("posting a task", () => {
  test("opens it, with an id of the time and every default filled in", async () => {
    const { task } = await buyer.postTask({
      requester: "buyer",
      spec: {
        taskType: "build",
        requirements: {
          capabilities: [" Python ", "python", "SQL"],
          maxLatency: { seconds: 90n, nanos: 1_900_000 },
          maxCost: eur(2_500_000n),
        },
        payload: { size: 3, name: "Grüße" },
      },
    });

    expect(task?.taskId).toMatch(/^task-20261120-120000-[0-9a-f]{8}$/);
    expect(stateOf(task)).toBe("OPEN");
    expect(task).toMatchObject({
      requester: "buyer",
      createTime: timestampFromDate(NOON),
      biddingCloseTime: timestampFromDate(noonPlus(24 * HOUR)),
      bidCount: 0,
    });
    expect(task?.spec).toMatchObject({
      requirements: {
        capabilities: ["python", "sql"],
        maxLatency: { seconds: 90n, nanos: 1_000_000 },
      },
      payload: { size: 3, name: "Grüße" },
      awardPolicy: AwardPolicy.ON_CLOSE,
      scoringPolicy: ScoringPolicy.CIVIC_V1,
      paymentRule: PaymentRule.PAY_AS_BID,
      biddingWindow: { seconds: 86_400n },
      reviewWindow: { seconds: 259_200n },
      evaluator: "",
    });
    expect((await buyer.getTask({ taskId: task?.taskId ?? "" })).task).toEqual(task);
  });

  test("keeps every field as it was given", async () => {
    const spec = aSpec({
      scoringPolicy: ScoringPolicy.VALUE,
      paymentRule: PaymentRule.SECOND_SCORE,
      awardPolicy: AwardPolicy.FIRST_QUALIFIED,
      evaluator: "judge",
      value: eur(9_000_000n),
      payload: { nested: { list: [1, null, "\u0000", { deadline: "x", fooMicros: "12" }] } },
    });

    const { task } = await buyer.postTask({ requester: "buyer", spec });
    const read = await buyer.getTask({ taskId: task?.taskId ?? "" });

    expect(read.task?.spec).toMatchObject(spec as object);
  });

  test("with the same request_id and content is answered with the first answer", async () => {
    const request = { requestId: "post-1", requester: "buyer", spec: aSpec() };

    const [first, second] = await Promise.all([buyer.postTask(request), buyer.postTask(request)]);
    const other = await refusal(buyer.postTask({ ...request, spec: aSpec({ taskType: "other" }) }));

    expect(second).toEqual(first);
    expect(other).toMatchObject({ code: "AlreadyExists", reason: "REQUEST_ID_REUSED" });
  });

  test("on paper changes nothing", async () => {
    const before = await countTasks();

    const { task } = await buyer.postTask({
      requester: "buyer",
      spec: aSpec(),
      validateOnly: true,
    });

    expect(stateOf(task)).toBe("OPEN");
    expect(await countTasks()).toBe(before);
  });

  test.each([
    ["an id that is taken", {}, { code: "AlreadyExists", reason: "TASK_ALREADY_EXISTS" }],
    [
      "an id that is taken, on paper",
      { validateOnly: true },
      { code: "AlreadyExists", reason: "TASK_ALREADY_EXISTS" },
    ],
    [
      "an evaluator who is the requester",
      { spec: aSpec({ evaluator: "buyer" }) },
      { code: "InvalidArgument", reason: "EVALUATOR_IS_REQUESTER", fields: ["spec.evaluator"] },
    ],
    [
      "a payload beyond 64 KiB",
      { spec: aSpec({ payload: { text: "x".repeat(70_000) } }) },
      { code: "InvalidArgument", reason: "INVALID_REQUEST", fields: ["spec.payload"] },
    ],
    [
      "a kind of task that is an IBAN",
      { spec: aSpec({ taskType: "DE89370400440532013000" }) },
      { code: "InvalidArgument", reason: "INVALID_REQUEST", fields: ["spec.task_type"] },
    ],
    [
      "capabilities that make a phone number together",
      { spec: aSpec({ needs: { capabilities: ["212", "555", "0123"] } }) },
      {
        code: "InvalidArgument",
        reason: "INVALID_REQUEST",
        fields: ["spec.requirements.capabilities"],
      },
    ],
    [
      "a posted price in euros",
      { spec: aSpec({ scoringPolicy: ScoringPolicy.POSTED_PRICE }) },
      { code: "InvalidArgument", reason: "INVALID_REQUEST" },
    ],
    [
      "a success rate that is no number",
      { spec: aSpec({ needs: { minSuccessRate: Number.NaN } }) },
      { code: "InvalidArgument", reason: "INVALID_REQUEST" },
    ],
    [
      "somebody else's name",
      { requester: "other" },
      { code: "PermissionDenied", reason: "PERMISSION_DENIED" },
    ],
  ])("with %s is refused and changes nothing", async (_what, wish, expected) => {
    const taskId = "task-20261120-120000-00000001";
    const request = { taskId, requester: "buyer", spec: aSpec() };
    await buyer.postTask({ requestId: "taken", ...request });
    const before = await countTasks();

    expect(await refusal(buyer.postTask({ ...request, ...wish }))).toMatchObject(expected);
    expect(await countTasks()).toBe(before);
  });

  test("is refused while nobody knows who the agents are", async () => {
    world.registry.setReady(false);
    const refused = await refusal(buyer.postTask({ requester: "buyer", spec: aSpec() }));
    world.registry.setReady(true);

    expect(refused).toMatchObject({ code: "Unavailable", reason: "ROSTER_NOT_READY" });
  });
});

describe("bids that the market makes", () => {
  const needs = { capabilities: ["auto_work"] };
  const skilled = { capabilities: ["auto_work"] };

  test("come with the task: legal ones as bids, others as refusals", async () => {
    world.registry.put("auto-good", {
      ...skilled,
      autoBid: { base: 1_500_000n, perMinute: 20_000n },
    });
    world.registry.put("auto-dear", { ...skilled, autoBid: { base: 9_000_000n, rate: 0.9 } });
    world.registry.put("auto-away", {
      ...skilled,
      state: AvailabilityState.OFFLINE,
      autoBid: { base: 1n },
    });
    world.registry.put("by-hand", skilled);
    world.registry.put("unskilled", { autoBid: { base: 1n } });

    const { task } = await buyer.postTask({ requester: "buyer", spec: aSpec({ needs }) });
    const why = await operator.explainAward({ taskId: task?.taskId ?? "" });

    expect(task?.bidCount).toBe(1);
    expect(why.ranking).toMatchObject([
      {
        agentId: "auto-good",
        automatic: true,
        terms: { price: eur(1_920_000n), latency: { seconds: 1_260n }, successRate: 0.98 },
      },
    ]);
    expect(
      why.refusals.map(({ agentId, faults }) => [agentId, ...faults.map((each) => each.reason)]),
    ).toEqual([
      ["auto-away", "AGENT_NOT_AVAILABLE"],
      ["auto-dear", "COST_EXCEEDS_MAX", "SUCCESS_RATE_BELOW_MIN"],
    ]);
  });

  test("are not made for the requester and the evaluator", async () => {
    const solo = { capabilities: ["solo_work"], autoBid: { base: 1n } };
    world.registry.put("buyer", solo);
    world.registry.put("judge", solo);

    const spec = aSpec({ needs: { capabilities: ["solo_work"] }, evaluator: "judge" });
    const { task } = await buyer.postTask({ requester: "buyer", spec });

    expect(task?.bidCount).toBe(0);
    const why = await operator.explainAward({ taskId: task?.taskId ?? "" });
    expect(why.refusals).toEqual([]);
  });

  test("win at once where the first qualified bid does, the most reliable agent's first", async () => {
    world.ledger.fund("buyer", 50_000_000n);
    const first = { capabilities: ["first_work"], autoBid: { base: 1_000_000n } };
    world.registry.put("rookie", { ...first, lowerBound: 0.2 });
    world.registry.put("veteran", { ...first, lowerBound: 0.9 });

    const spec = aSpec({
      needs: { capabilities: ["first_work"] },
      awardPolicy: AwardPolicy.FIRST_QUALIFIED,
    });
    const { task } = await buyer.postTask({ requester: "buyer", spec });

    expect(stateOf(task)).toBe("AWARDED");
    expect(task).toMatchObject({ bidCount: 1, award: { agentId: "veteran" } });
  });

  test("ask the posted price where there is one", async () => {
    world.registry.put("tier", {
      capabilities: ["sat_work"],
      multiplier: 1.5,
      autoBid: { base: 1n },
    });
    const spec = aSpec({
      scoringPolicy: ScoringPolicy.POSTED_PRICE,
      needs: {
        capabilities: ["sat_work"],
        maxCost: { micros: 10_000_000_000_000n, currencyCode: "SAT" },
      },
    });

    const { task } = await buyer.postTask({ requester: "buyer", spec });
    const { bids } = await operator.listBids({ taskId: task?.taskId ?? "" });

    expect(bids[0]?.terms?.price).toMatchObject({
      micros: 1_050_000_000_000n,
      currencyCode: "SAT",
    });
  });
});

describe("calling a task off", () => {
  test("ends it, again changes nothing, and only its requester may", async () => {
    const { task } = await buyer.postTask({ requester: "buyer", spec: aSpec() });
    const taskId = task?.taskId ?? "";
    const other = await instance.as("agent:other");

    expect(await refusal(other.cancelTask({ taskId }))).toMatchObject({ reason: "NOT_REQUESTER" });
    const first = await buyer.cancelTask({ taskId });
    const second = await operator.cancelTask({ taskId });

    expect(stateOf(first.task)).toBe("CANCELLED");
    expect(second).toEqual(first);
    await expect(
      world.pool.query("update tasks set evaluation = 'rewritten' where id = $1", [taskId]),
    ).rejects.toMatchObject({ constraint: "tasks_final" });
  });

  test("is refused when it is being worked on", async () => {
    const { taskId } = await postWithBids(world, instance, { worker: {} });
    await buyer.awardTask({ taskId });

    expect(await refusal(buyer.cancelTask({ taskId }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "INVALID_TASK_STATE",
      metadata: { state: "AWARDED" },
    });
  });
});

describe("a list of tasks", () => {
  test("is newest first, in pages that hold each task once, and filtered", async () => {
    const own = await openWorld();
    const here = await own.start();
    const asker = await here.as("agent:asker");
    const posted: string[] = [];
    for (let nth = 0; nth < 7; nth++) {
      const spec = aSpec({ needs: { capabilities: nth % 2 === 0 ? ["even"] : ["odd"] } });
      const { task } = await asker.postTask({ requester: "asker", spec });
      posted.unshift(task?.taskId ?? "");
      if (nth % 3 !== 0) own.clock.advance(1);
    }

    const read: Task[] = [];
    for (let pageToken = ""; ; ) {
      const page = await asker.listTasks({ pageSize: 2, pageToken });
      read.push(...page.tasks);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    const even = await asker.listTasks({ capability: " EVEN " });
    const { nextPageToken } = await asker.listTasks({ pageSize: 2 });
    const misused = await refusal(asker.listTasks({ pageToken: nextPageToken, capability: "odd" }));

    expect(read.map((task) => task.taskId).toSorted()).toEqual(posted.toSorted());
    const times = read.map((task) => task.createTime?.nanos ?? 0);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(even.tasks).toHaveLength(4);
    expect(even.nextPageToken).toBe("");
    expect((await asker.listTasks({ requester: "nobody" })).tasks).toEqual([]);
    expect(misused).toMatchObject({ code: "InvalidArgument", reason: "INVALID_PAGE_TOKEN" });
    await own[Symbol.asyncDispose]();
  });

  test("stays below what a message may hold, whatever the payloads", async () => {
    const own = await openWorld();
    const asker = await (await own.start()).as("agent:asker");
    const payload = { text: "x".repeat(60_000) };
    await Promise.all(
      Array.from({ length: 90 }, () =>
        asker.postTask({ requester: "asker", spec: aSpec({ payload }) }),
      ),
    );

    const first = await asker.listTasks({ pageSize: 1_000 });
    const second = await asker.listTasks({ pageSize: 1_000, pageToken: first.nextPageToken });
    const third = await asker.listTasks({ pageSize: 1_000, pageToken: second.nextPageToken });

    expect([first, second, third].flatMap((page) => page.tasks)).toHaveLength(90);
    expect(third.nextPageToken).toBe("");
    await own[Symbol.asyncDispose]();
  });

  test("of a task that is not there is refused", async () => {
    const taskId = "task-20261120-120000-ffffffff";

    expect(await refusal(buyer.getTask({ taskId }))).toMatchObject({
      code: "NotFound",
      reason: "TASK_NOT_FOUND",
    });
  });
});

test("a window is at least a tenth of a second", async () => {
  const spec = aSpec({ biddingWindow: durationFromMs(99) });

  expect(await refusal(buyer.postTask({ requester: "buyer", spec }))).toMatchObject({
    reason: "INVALID_REQUEST",
    fields: ["spec.bidding_window"],
  });
});
