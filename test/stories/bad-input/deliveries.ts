import { money } from "../../support/money.ts";
import { minutes } from "../../support/time.ts";
import { NO_TASK, type Row } from "./world.ts";

const INVALID = { code: "InvalidArgument", reason: "INVALID_REQUEST" } as const;
const UNKNOWN = { code: "NotFound", reason: "TASK_NOT_FOUND" } as const;
const WRONG_STATE = { code: "FailedPrecondition", reason: "INVALID_TASK_STATE" } as const;
const NOT_EVALUATOR = { code: "PermissionDenied", reason: "NOT_EVALUATOR" } as const;

/** What the auction must refuse of winners and evaluators. */
export const deliveryRows: readonly Row[] = [
  {
    title: "delivering without an epoch",
    call: ({ worker, awarded }) =>
      worker.auction.submitResult({ taskId: awarded.taskId, agentId: worker.id }),
    ...INVALID,
    field: "award_epoch",
  },
  {
    title: "delivering on an award that was not made",
    call: ({ worker, awarded: { taskId } }) =>
      worker.auction.submitResult({ taskId, agentId: worker.id, awardEpoch: 7n }),
    code: "Aborted",
    reason: "STALE_AWARD_EPOCH",
  },
  {
    title: "delivering what another has won",
    call: ({ rival, awarded: { taskId } }) =>
      rival.auction.submitResult({ taskId, agentId: rival.id, awardEpoch: 1n }),
    code: "PermissionDenied",
    reason: "NOT_WINNER",
  },
  {
    title: "delivering as another",
    call: ({ rival, worker, awarded: { taskId } }) =>
      rival.auction.submitResult({ taskId, agentId: worker.id, awardEpoch: 1n }),
    code: "PermissionDenied",
    reason: "PERMISSION_DENIED",
  },
  {
    title: "delivering on a task that was never there",
    call: ({ worker }) =>
      worker.auction.submitResult({ taskId: NO_TASK, agentId: worker.id, awardEpoch: 1n }),
    ...UNKNOWN,
  },
  {
    title: "delivering other work on top of a delivery",
    call: ({ worker, delivered: { taskId } }) =>
      worker.auction.submitResult({
        taskId,
        agentId: worker.id,
        awardEpoch: 1n,
        result: { reference: "https://work.example/other" },
      }),
    ...WRONG_STATE,
  },
  {
    title: "delivering with a digest that is none",
    call: ({ worker, awarded: { taskId } }) =>
      worker.auction.submitResult({
        taskId,
        agentId: worker.id,
        awardEpoch: 1n,
        result: { sha256: "xyz" },
      }),
    ...INVALID,
    field: "result.sha256",
  },
  {
    title: "delivering at a negative cost",
    call: ({ worker, awarded: { taskId } }) =>
      worker.auction.submitResult({
        taskId,
        agentId: worker.id,
        awardEpoch: 1n,
        result: { actualCost: money(-1, "EUR") },
      }),
    ...INVALID,
    field: "result.actual_cost",
  },
  {
    title: "delivering at a cost in another currency",
    call: ({ worker, awarded: { taskId } }) =>
      worker.auction.submitResult({
        taskId,
        agentId: worker.id,
        awardEpoch: 1n,
        result: { actualCost: money(1, "USD") },
      }),
    code: "FailedPrecondition",
    reason: "CURRENCY_MISMATCH",
    field: "result.actual_cost.currency_code",
  },
  {
    title: "accepting what is not delivered",
    call: ({ buyer, awarded: { taskId } }) => buyer.auction.acceptResult({ taskId }),
    ...WRONG_STATE,
  },
  {
    title: "accepting one's own work",
    call: ({ worker, delivered: { taskId } }) => worker.auction.acceptResult({ taskId }),
    ...NOT_EVALUATOR,
  },
  {
    title: "rejecting another's purchase",
    call: ({ rival, delivered: { taskId } }) =>
      rival.auction.rejectResult({ taskId, evaluation: "ugly" }),
    ...NOT_EVALUATOR,
  },
  {
    title: "rejecting in words that cannot be stored",
    call: ({ buyer, delivered: { taskId } }) =>
      buyer.auction.rejectResult({ taskId, evaluation: "bad\u0000work" }),
    ...INVALID,
  },
  {
    title: "rejecting without a word",
    call: ({ buyer, delivered: { taskId } }) => buyer.auction.rejectResult({ taskId }),
    ...INVALID,
    field: "evaluation",
  },
  {
    title: "rejecting what was accepted",
    call: ({ buyer, succeeded: { taskId } }) =>
      buyer.auction.rejectResult({ taskId, evaluation: "on second thoughts" }),
    ...WRONG_STATE,
  },
  {
    title: "completing what is not awarded",
    call: ({ buyer, cancelled: { taskId } }) =>
      buyer.auction.completeTask({ taskId, success: true }),
    ...WRONG_STATE,
  },
  {
    title: "completing in another way what was accepted",
    call: ({ buyer, succeeded: { taskId } }) =>
      buyer.auction.completeTask({ taskId, success: false }),
    ...WRONG_STATE,
  },
  {
    title: "completing in a negative time",
    call: ({ buyer, awarded: { taskId } }) =>
      buyer.auction.completeTask({ taskId, success: true, actualLatency: minutes(-1) }),
    ...INVALID,
    field: "actual_latency",
  },
  {
    title: "completing at a cost in another currency",
    call: ({ buyer, awarded: { taskId } }) =>
      buyer.auction.completeTask({ taskId, success: true, actualCost: money(1, "USD") }),
    code: "FailedPrecondition",
    reason: "CURRENCY_MISMATCH",
    field: "actual_cost.currency_code",
  },
  {
    title: "completing one's own work",
    call: ({ worker, awarded: { taskId } }) =>
      worker.auction.completeTask({ taskId, success: true }),
    ...NOT_EVALUATOR,
  },
];
