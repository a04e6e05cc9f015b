import { beginAward, confirmAward } from "../../src/award.ts";
import type { Bid, Bidder, BidTerms } from "../../src/bid.ts";
import { accept, reject } from "../../src/completion.ts";
import { deliver } from "../../src/delivery.ts";
import {
  callOff,
  expire,
  post,
  type Requirements,
  type Task,
  type TaskSpec,
  type TaskState,
} from "../../src/task.ts";
import { HOUR, MINUTE, NOON, noonPlus } from "./clock.ts";

export const TASK_ID = "task-20261120-120000-0badcafe";

export function aSpec(
  wish: Partial<TaskSpec> & { readonly needs?: Partial<Requirements> } = {},
): TaskSpec {
  const { needs, ...rest } = wish;
  return {
    taskType: "iso_construction",
    requirements: {
      capabilities: ["iso_construction"],
      maxLatencyMs: BigInt(30 * MINUTE),
      minSuccessPpm: 950_000n,
      maxCost: { micros: 2_500_000n, currency: "EUR" },
      ...needs,
    },
    biddingWindowMs: BigInt(HOUR),
    awardPolicy: "ON_CLOSE",
    scoringPolicy: "CIVIC_V1",
    paymentRule: "PAY_AS_BID",
    evaluator: "",
    reviewWindowMs: BigInt(HOUR),
    ...rest,
  };
}

export function anOpenTask(wish: Parameters<typeof aSpec>[0] = {}): Task {
  return post({ taskId: TASK_ID, requester: "buyer", spec: aSpec(wish) }, NOON).task;
}

export function terms(wish: Partial<BidTerms> = {}): BidTerms {
  return {
    price: { micros: 2_300_000n, currency: "EUR" },
    latencyMs: BigInt(25 * MINUTE),
    successPpm: 980_000n,
    ...wish,
  };
}

export function aBidder(wish: Partial<Bidder> = {}): Bidder {
  return {
    agentId: "quick",
    state: "ONLINE",
    capabilities: new Set(["iso_construction"]),
    calibrationPpm: 920_000n,
    multiplierPpm: 1_000_000n,
    maxConcurrent: 3,
    ...wish,
  };
}

export function aBid(
  agentId: string,
  wish: Partial<Omit<Bid, "terms">> & { readonly terms?: Partial<BidTerms> } = {},
): Bid {
  return {
    bidId: `bid-${agentId}`,
    taskId: TASK_ID,
    agentId,
    calibrationPpm: 920_000n,
    multiplierPpm: 1_000_000n,
    sequence: 1,
    automatic: false,
    submitTime: NOON,
    ...wish,
    terms: terms(wish.terms),
  };
}

/** Two bids of which the first wins. */
export const BIDS: readonly Bid[] = [
  aBid("quick"),
  aBid("slow", { sequence: 2, terms: { latencyMs: BigInt(29 * MINUTE), successPpm: 950_000n } }),
];

/** The award of `quick` begins, ten minutes after noon. */
export function anAwardingTask(cause: "HAND" | "CLOSE" | "FIRST" = "CLOSE"): Task {
  const step = beginAward({ ...anOpenTask(), bidCount: 2 }, BIDS, cause, noonPlus(10 * MINUTE));
  if (step === undefined) throw new Error("nobody bids");
  return step.task;
}

/** `quick` is at work since eleven minutes after noon. */
export function anAwardedTask(): Task {
  return confirmAward(anAwardingTask(), noonPlus(11 * MINUTE)).task;
}

/** `quick` has delivered after 23 minutes. */
export function aDeliveredTask(): Task {
  return deliver(anAwardedTask(), aDelivery(), noonPlus(34 * MINUTE)).task;
}

export function aDelivery(wish: { readonly agentId?: string; readonly epoch?: bigint } = {}) {
  const result = { reference: "https://work.example/1", sha256: "" };
  return { agentId: "quick", epoch: 1n, result, ...wish };
}

/** A task in each state, as it gets there by itself. */
export function aTaskThatIs(state: TaskState): Task {
  const at = noonPlus(35 * MINUTE);
  switch (state) {
    case "OPEN":
      return anOpenTask();
    case "AWARDING":
      return anAwardingTask();
    case "AWARDED":
      return anAwardedTask();
    case "DELIVERED":
      return aDeliveredTask();
    case "SUCCEEDED":
      return accept(aDeliveredTask(), "good", at).task;
    case "FAILED":
      return reject(aDeliveredTask(), "bad", at).task;
    case "CANCELLED":
      return callOff(anOpenTask(), at).task;
    case "EXPIRED":
      return expire(anOpenTask(), "NO_BIDS", at).task;
  }
}

export const STATES: readonly TaskState[] = [
  "OPEN",
  "AWARDING",
  "AWARDED",
  "DELIVERED",
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
  "EXPIRED",
];

/** The reason that `act` is refused with; "ok" when it is not. */
export function reasonOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    if (error instanceof Error && "reason" in error) return String(error.reason);
    throw error;
  }
}
