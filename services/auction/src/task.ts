import { Rejection } from "@bourse/rpc/rejection";
import type { Money, PolicyName } from "@bourse/scoring";
import type { Award } from "./award.ts";
import { expired, type FollowUp, tell } from "./follow-up.ts";

/** Where a task stands; the last four are ends. */
export type TaskState =
  | "OPEN"
  | "AWARDING"
  | "AWARDED"
  | "DELIVERED"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "EXPIRED";

/** Why a task ended. */
export type EndReason =
  | "ACCEPTED"
  | "ACCEPTED_BY_SILENCE"
  | "REJECTED"
  | "CALLED_OFF"
  | "NO_BIDS"
  | "NO_FUNDS"
  | "NOT_DELIVERED"
  | "NOT_AWARDED";

/** When the award is made. */
export type AwardPolicy = "ON_CLOSE" | "FIRST_QUALIFIED" | "MANUAL";

/** What the winner is paid. */
export type PaymentRule = "PAY_AS_BID" | "SECOND_SCORE";

/** How demanding a task is. */
export type TaskComplexity = "low" | "medium" | "high" | "critical";

/** What a bid must meet. */
export interface Requirements {
  /** At least one; trimmed, in lower case, each once, in the order given. */
  readonly capabilities: readonly string[];
  /** At least 1. */
  readonly maxLatencyMs: bigint;
  readonly minSuccessPpm: bigint;
  /** More than 0. */
  readonly maxCost: Money;
  readonly complexity?: TaskComplexity | undefined;
}

/** What was asked for, defaults filled in. */
export interface TaskSpec {
  readonly taskType: string;
  readonly requirements: Requirements;
  /** JSON text of an object. */
  readonly payload?: string | undefined;
  readonly biddingWindowMs: bigint;
  readonly awardPolicy: AwardPolicy;
  readonly scoringPolicy: PolicyName;
  readonly paymentRule: PaymentRule;
  /** Empty: the requester judges. */
  readonly evaluator: string;
  readonly reviewWindowMs: bigint;
  /** In the currency of the max cost. */
  readonly valueMicros?: bigint | undefined;
}

/** What a winner delivered. */
export interface Result {
  /** JSON text of an object. */
  readonly output?: string | undefined;
  readonly reference: string;
  readonly sha256: string;
  /** In the currency of the task. */
  readonly actualCostMicros?: bigint | undefined;
  readonly deliverTime: Date;
}

/** How an awarded task went, beside what its winner had promised. */
export interface Outcome {
  readonly success: boolean;
  readonly estimatedLatencyMs: bigint;
  /** At least 1. */
  readonly actualLatencyMs: bigint;
  /** What the winning bid asked. */
  readonly priceMicros: bigint;
  readonly actualCostMicros?: bigint | undefined;
}

/** A piece of work put up for auction, and all that has become of it. */
export interface Task {
  readonly taskId: string;
  readonly requester: string;
  readonly spec: TaskSpec;
  readonly state: TaskState;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly biddingCloseTime: Date;
  readonly endTime?: Date | undefined;
  readonly bidCount: number;
  /** The epoch of the last award that was begun, one that could not be paid included; 0 before. */
  readonly epoch: number;
  /**
   * Every award that was made, and the one being made; the last is the one that holds or last held.
   */
  readonly awards: readonly Award[];
  readonly result?: Result | undefined;
  readonly outcome?: Outcome | undefined;
  readonly endReason?: EndReason | undefined;
  readonly evaluation: string;
  /** When the market itself has to act on it; absent when it has nothing to do. */
  readonly dueTime?: Date | undefined;
  /** Times that the market has tried in vain to do what is due. */
  readonly attempts: number;
}

/** A change of a task and all that follows from it, to be written together. */
export interface Step {
  readonly task: Task;
  readonly followUps: readonly FollowUp[];
}

/** The allowed moves of a task. There is no other place that says where a task may go. */
export const MOVES: Readonly<Record<TaskState, readonly TaskState[]>> = {
  OPEN: ["AWARDING", "CANCELLED", "EXPIRED"],
  AWARDING: ["AWARDED", "OPEN", "EXPIRED"],
  AWARDED: ["DELIVERED", "AWARDING", "SUCCEEDED", "FAILED"],
  DELIVERED: ["SUCCEEDED", "FAILED"],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
  EXPIRED: [],
};

/** Whether a state is an end. */
export function isEnd(state: TaskState): boolean {
  return MOVES[state].length === 0;
}

/**
 * Moves a task along the table; throws an Error (a bug, not a refusal) when the table does not
 * allow it.
 */
export function move(
  task: Task,
  state: TaskState,
  change: Partial<Task> & { readonly updateTime: Date },
): Task {
  if (!MOVES[task.state].includes(state)) {
    throw new Error(`task ${task.taskId} cannot go from ${task.state} to ${state}`);
  }
  const ended = isEnd(state) ? { endTime: change.updateTime, dueTime: undefined } : {};
  return { ...task, attempts: 0, ...change, ...ended, state };
}

/** The refusal of what a task's state does not allow; `wish` completes "it cannot be". */
export function invalidState(task: Task, wish: string): Rejection {
  return new Rejection(
    "INVALID_TASK_STATE",
    `task ${task.taskId} is ${task.state} and cannot be ${wish}`,
    { metadata: { task_id: task.taskId, state: task.state } },
  );
}

/**
 * Puts a task up for auction.
 * @throws Rejection EVALUATOR_IS_REQUESTER
 */
export function post(
  request: { readonly taskId: string; readonly requester: string; readonly spec: TaskSpec },
  now: Date,
): Step {
  const { taskId, requester, spec } = request;
  if (spec.evaluator === requester) {
    const description = "evaluator must be another agent than requester, or empty";
    throw new Rejection("EVALUATOR_IS_REQUESTER", description, {
      faults: [{ field: "spec.evaluator", reason: "EVALUATOR_IS_REQUESTER", description }],
    });
  }
  const closeTime = later(now, spec.biddingWindowMs);
  const task: Task = {
    taskId,
    requester,
    spec,
    state: "OPEN",
    createTime: now,
    updateTime: now,
    biddingCloseTime: closeTime,
    bidCount: 0,
    epoch: 0,
    awards: [],
    evaluation: "",
    dueTime: closeTime,
    attempts: 0,
  };
  const { requirements } = spec;
  const event = tell(task, now, "auction_created", {
    subjects: spec.evaluator === "" ? {} : { evaluator: spec.evaluator },
    payload: {
      task_type: spec.taskType,
      capabilities: requirements.capabilities.join(" "),
      max_cost_micros: requirements.maxCost.micros,
      currency: requirements.maxCost.currency,
      max_latency_ms: requirements.maxLatencyMs,
      min_success_ppm: requirements.minSuccessPpm,
      scoring_policy: spec.scoringPolicy,
      payment_rule: spec.paymentRule,
      award_policy: spec.awardPolicy,
    },
  });
  return { task, followUps: [event] };
}

/**
 * Calls an open task off; a cancelled one is left as it is.
 * @throws Rejection INVALID_TASK_STATE
 */
export function callOff(task: Task, now: Date): Step {
  if (task.state === "CANCELLED") return { task, followUps: [] };
  if (task.state !== "OPEN") throw invalidState(task, "called off");
  const ended = move(task, "CANCELLED", { updateTime: now, endReason: "CALLED_OFF" });
  const event = tell(ended, now, "task_cancelled", { payload: { bids: task.bidCount } });
  return { task: ended, followUps: [event] };
}

/** Ends a task that came to no award, or whose award could not be paid. */
export function expire(
  task: Task,
  reason: Extract<EndReason, "NO_BIDS" | "NO_FUNDS" | "NOT_AWARDED">,
  now: Date,
): Step {
  const ended = move(task, "EXPIRED", { updateTime: now, endReason: reason });
  return { task: ended, followUps: [expired(ended, now)] };
}

/** The award that holds, or last held, or is being made. */
export function lastAward(task: Task): Award | undefined {
  return task.awards.at(-1);
}

/** A time that lies `ms` behind another. */
export function later(time: Date, ms: bigint | number): Date {
  return new Date(time.getTime() + Number(ms));
}
