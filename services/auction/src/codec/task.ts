import {
  AwardPolicy,
  EndReason,
  PaymentRule,
  type Result as ResultMessage,
  ScoringPolicy,
  type TaskSchema,
  type TaskSpec as TaskSpecMessage,
  TaskState,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { Complexity } from "@bourse/proto/bourse/type/v1/outcome_pb.ts";
import type { Principal } from "@bourse/rpc";
import { fromPpm, toPpm } from "@bourse/scoring";
import { refusePersonalData } from "@bourse/service/personal-data";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Award } from "../award.ts";
import { currencyOf } from "../bid.ts";
import type { Delivery } from "../delivery.ts";
import type { Outcome, TaskState as State, Task, TaskComplexity, TaskSpec } from "../task.ts";
import { isParty, knownAwards } from "../viewer.ts";
import {
  readDuration,
  readMoney,
  readObject,
  writeDuration,
  writeMoney,
  writeObject,
} from "./value.ts";

const DAY_MS = 86_400_000n;

const COMPLEXITIES: Readonly<Record<number, TaskComplexity>> = {
  [Complexity.LOW]: "low",
  [Complexity.MEDIUM]: "medium",
  [Complexity.HIGH]: "high",
  [Complexity.CRITICAL]: "critical",
};

/**
 * What was asked for, defaults filled in. Throws Rejection INVALID_REQUEST for a payload that is
 * too large, and for personal data in what is told to the lineage.
 */
export function readSpec(spec: TaskSpecMessage): TaskSpec {
  const { requirements, biddingWindow, reviewWindow } = spec;
  refusePersonalData({
    "spec.task_type": spec.taskType,
    // As they are told: in one text, for a number may be spread over several.
    "spec.requirements.capabilities": requirements?.capabilities.join(" "),
  });
  const capabilities = (requirements?.capabilities ?? []).map((name) => name.trim().toLowerCase());
  return {
    taskType: spec.taskType,
    requirements: {
      capabilities: [...new Set(capabilities)],
      maxLatencyMs: requirements?.maxLatency ? readDuration(requirements.maxLatency) : 0n,
      minSuccessPpm: toPpm(requirements?.minSuccessRate ?? 0),
      maxCost: readMoney(requirements?.maxCost),
      complexity: COMPLEXITIES[requirements?.complexity ?? 0],
    },
    payload: readObject(spec.payload, "spec.payload"),
    biddingWindowMs: biddingWindow ? readDuration(biddingWindow) : DAY_MS,
    awardPolicy: nameOf(AwardPolicy, spec.awardPolicy) ?? "ON_CLOSE",
    scoringPolicy: nameOf(ScoringPolicy, spec.scoringPolicy) ?? "CIVIC_V1",
    paymentRule: nameOf(PaymentRule, spec.paymentRule) ?? "PAY_AS_BID",
    evaluator: spec.evaluator,
    reviewWindowMs: reviewWindow ? readDuration(reviewWindow) : 3n * DAY_MS,
    valueMicros: spec.value?.micros,
  };
}

/** The work of a delivery. Throws Rejection INVALID_REQUEST for an output that is too large. */
export function readResult(result: ResultMessage | undefined): Delivery["result"] {
  return {
    output: readObject(result?.output, "result.output"),
    reference: result?.reference ?? "",
    sha256: result?.sha256 ?? "",
    actualCost: result?.actualCost === undefined ? undefined : readMoney(result.actualCost),
  };
}

/** A state that a filter names. */
export function readState(state: TaskState): State {
  const name = nameOf(TaskState, state);
  if (name === undefined) throw new Error(`there is no task state ${state}`);
  return name;
}

/** A task as a caller may see it. */
export function writeTask(task: Task, viewer: Principal): MessageInitShape<typeof TaskSchema> {
  const award = knownAwards(task, viewer).at(-1);
  const currency = currencyOf(task);
  return {
    taskId: task.taskId,
    spec: writeSpec(task.spec),
    requester: task.requester,
    state: TaskState[task.state],
    biddingCloseTime: timestampFromDate(task.biddingCloseTime),
    ...(award && { award: writeAward(award, currency) }),
    ...(task.result && isParty(task, viewer) && { result: writeResult(task.result, currency) }),
    ...(task.outcome && { outcome: writeOutcome(task.outcome, currency) }),
    endReason: EndReason[task.endReason ?? "UNSPECIFIED"],
    evaluation: task.evaluation,
    bidCount: task.bidCount,
    createTime: timestampFromDate(task.createTime),
    updateTime: timestampFromDate(task.updateTime),
    ...(task.endTime && { endTime: timestampFromDate(task.endTime) }),
  };
}

/** An award as a message. */
export function writeAward(award: Award, currency: string) {
  const { awardTime, deadline } = award;
  return {
    epoch: BigInt(award.epoch),
    agentId: award.agentId,
    bidId: award.bidId,
    price: writeMoney(award.priceMicros, currency),
    transactionId: award.transactionId,
    ...(awardTime && { awardTime: timestampFromDate(awardTime) }),
    ...(deadline && { deadline: timestampFromDate(deadline) }),
  };
}

/** An outcome as a message. */
export function writeOutcome(outcome: Outcome, currency: string) {
  return {
    success: outcome.success,
    estimatedLatency: writeDuration(outcome.estimatedLatencyMs),
    actualLatency: writeDuration(outcome.actualLatencyMs),
    price: writeMoney(outcome.priceMicros, currency),
    ...(outcome.actualCostMicros !== undefined && {
      actualCost: writeMoney(outcome.actualCostMicros, currency),
    }),
  };
}

function writeResult(result: NonNullable<Task["result"]>, currency: string) {
  return {
    ...(result.output !== undefined && { output: writeObject(result.output) }),
    reference: result.reference,
    sha256: result.sha256,
    ...(result.actualCostMicros !== undefined && {
      actualCost: writeMoney(result.actualCostMicros, currency),
    }),
    deliverTime: timestampFromDate(result.deliverTime),
  };
}

function writeSpec(spec: TaskSpec) {
  const { requirements, valueMicros } = spec;
  const { micros, currency } = requirements.maxCost;
  const complexity = Object.entries(COMPLEXITIES).find(
    ([, name]) => name === requirements.complexity,
  );
  return {
    taskType: spec.taskType,
    requirements: {
      capabilities: [...requirements.capabilities],
      maxLatency: writeDuration(requirements.maxLatencyMs),
      minSuccessRate: fromPpm(requirements.minSuccessPpm),
      maxCost: writeMoney(micros, currency),
      complexity: Number(complexity?.[0] ?? 0) as Complexity,
    },
    ...(spec.payload !== undefined && { payload: writeObject(spec.payload) }),
    biddingWindow: writeDuration(spec.biddingWindowMs),
    awardPolicy: AwardPolicy[spec.awardPolicy],
    scoringPolicy: ScoringPolicy[spec.scoringPolicy],
    paymentRule: PaymentRule[spec.paymentRule],
    evaluator: spec.evaluator,
    reviewWindow: writeDuration(spec.reviewWindowMs),
    ...(valueMicros !== undefined && { value: writeMoney(valueMicros, currency) }),
  };
}

/** The name of an enum's number; undefined for UNSPECIFIED. */
function nameOf<E extends Readonly<Record<string, number>>>(
  numbers: E,
  number: number,
): Exclude<keyof E & string, "UNSPECIFIED"> | undefined {
  const name = Object.keys(numbers).find((key) => numbers[key] === number);
  if (name === undefined || name === "UNSPECIFIED") return undefined;
  return name as Exclude<keyof E & string, "UNSPECIFIED">;
}
