import { eur, money } from "../../support/money.ts";
import { aTask, type TaskWish } from "../../support/task.ts";
import { minutes, seconds } from "../../support/time.ts";
import { NO_TASK, type Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;
const UNKNOWN = { code: "NotFound", reason: "TASK_NOT_FOUND" } as const;
const WRONG_STATE = { code: "FailedPrecondition", reason: "INVALID_TASK_STATE" } as const;

/** A task that would be posted but for what is said. */
function posting(what: string, field: string, wish: TaskWish): Row {
  return {
    title: `posting a task ${what}`,
    call: ({ buyer }) => buyer.auction.postTask({ requester: buyer.id, spec: aTask(wish) }),
    ...INVALID,
    field: field === "" ? "spec" : `spec.${field}`,
  };
}

/** What the auction must refuse, bids and deliveries apart. */
export const taskRows: readonly Row[] = [
  posting("of no type", "task_type", { taskType: "" }),
  posting("of a type in words", "task_type", { taskType: "iso construction" }),
  posting("that asks for nothing", "requirements.capabilities[0]", { capability: "" }),
  posting("for less than nothing", "requirements.max_cost", { maxCost: eur(-1) }),
  posting("for nothing", "requirements.max_cost", { maxCost: eur(0) }),
  posting("for more than there is", "requirements.max_cost.micros", {
    maxCost: { micros: 2n ** 62n, currencyCode: "EUR" },
  }),
  posting("in a currency of two letters", "requirements.max_cost.currency_code", {
    maxCost: money(1, "EU"),
  }),
  posting("due at once", "requirements.max_latency", { maxLatency: seconds(0) }),
  posting("due before it was asked for", "requirements.max_latency", { maxLatency: minutes(-5) }),
  posting("that succeeds more than always", "requirements.min_success_rate", {
    minSuccessRate: 1.5,
  }),
  posting("with a success rate that is no number", "requirements.min_success_rate", {
    minSuccessRate: Number.NaN,
  }),
  posting("with a window of a millisecond", "bidding_window", { biddingWindow: seconds(0.001) }),
  posting("with a review of a year", "review_window", { reviewWindow: seconds(31_536_000) }),
  posting("awarded in a way that does not exist", "award_policy", { awardPolicy: 42 as 1 }),
  posting("ranked in a way that does not exist", "scoring_policy", { scoringPolicy: 42 as 1 }),
  posting("worth something in another currency", "", { value: money(5, "USD") }),
  {
    title: "posting a task without requirements",
    call: ({ buyer }) =>
      buyer.auction.postTask({ requester: buyer.id, spec: { taskType: "iso_construction" } }),
    ...INVALID,
    field: "spec.requirements",
  },
  {
    title: "posting a task with an id of another shape",
    call: ({ buyer }) =>
      buyer.auction.postTask({ requester: buyer.id, taskId: "task-1", spec: aTask() }),
    ...INVALID,
    field: "task_id",
  },
  {
    title: "posting a task under an id that is taken",
    call: ({ buyer, open }) =>
      buyer.auction.postTask({ requester: buyer.id, taskId: open.taskId, spec: aTask() }),
    code: "AlreadyExists",
    reason: "TASK_ALREADY_EXISTS",
  },
  {
    title: "posting a task that its requester judges as if it were another",
    call: ({ buyer }) =>
      buyer.auction.postTask({ requester: buyer.id, spec: aTask({ evaluator: buyer.id }) }),
    code: "InvalidArgument",
    reason: "EVALUATOR_IS_REQUESTER",
    field: "spec.evaluator",
  },
  {
    title: "posting a task at another's expense",
    call: ({ worker, buyer }) => worker.auction.postTask({ requester: buyer.id, spec: aTask() }),
    ...DENIED,
  },
  {
    title: "posting a task with a payload of 100 KiB",
    call: ({ buyer }) =>
      buyer.auction.postTask({
        requester: buyer.id,
        spec: aTask({ payload: { text: "x".repeat(100 * 1024) } }),
      }),
    ...INVALID,
    field: "spec.payload",
  },
  {
    title: "posting a task of five megabytes",
    call: ({ buyer }) =>
      buyer.auction.postTask({
        requester: buyer.id,
        spec: aTask({ payload: { text: "x".repeat(5 * 1024 * 1024) } }),
      }),
    code: "ResourceExhausted",
    reason: "MESSAGE_TOO_LARGE",
  },
  {
    title: "getting a task by an id of another shape",
    call: ({ buyer }) => buyer.auction.getTask({ taskId: "task'; drop table tasks; --" }),
    ...INVALID,
    field: "task_id",
  },
  {
    title: "getting a task that was never there",
    call: ({ buyer }) => buyer.auction.getTask({ taskId: NO_TASK }),
    ...UNKNOWN,
  },
  {
    title: "listing tasks from a page that never was",
    call: ({ buyer }) => buyer.auction.listTasks({ pageToken: "%%%" }),
    code: "InvalidArgument",
    reason: "INVALID_PAGE_TOKEN",
    field: "page_token",
  },
  {
    title: "listing tasks in no state",
    call: ({ buyer }) => buyer.auction.listTasks({ states: [0] }),
    ...INVALID,
    field: "states[0]",
  },
  {
    title: "declining what one has bid on",
    call: ({ worker, open }) =>
      worker.auction.declineToBid({ taskId: open.taskId, agentId: worker.id }),
    code: "AlreadyExists",
    reason: "ALREADY_BID",
  },
  {
    title: "declining in 1,001 characters",
    call: ({ rival, open }) =>
      rival.auction.declineToBid({
        taskId: open.taskId,
        agentId: rival.id,
        reason: "n".repeat(1_001),
      }),
    ...INVALID,
    field: "reason",
  },
  {
    title: "awarding another's task",
    call: ({ worker, open }) => worker.auction.awardTask({ taskId: open.taskId }),
    code: "PermissionDenied",
    reason: "NOT_REQUESTER",
  },
  {
    title: "awarding a task that was called off",
    call: ({ buyer, cancelled }) => buyer.auction.awardTask({ taskId: cancelled.taskId }),
    ...WRONG_STATE,
  },
  {
    title: "calling off another's task",
    call: ({ rival, open }) => rival.auction.cancelTask({ taskId: open.taskId }),
    code: "PermissionDenied",
    reason: "NOT_REQUESTER",
  },
  {
    title: "calling off a task that is awarded",
    call: ({ buyer, awarded }) => buyer.auction.cancelTask({ taskId: awarded.taskId }),
    ...WRONG_STATE,
  },
  {
    title: "explaining the bids of an open task to a rival",
    call: ({ rival, open }) => rival.auction.explainAward({ taskId: open.taskId }),
    code: "PermissionDenied",
    reason: "BIDS_SEALED",
  },
];
