import {
  AwardPolicy,
  type Bid,
  type BidTermsSchema,
  type Task,
  type TaskSpecSchema,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Actor } from "./market.ts";
import { eur, type MoneyInit } from "./money.ts";
import { minutes } from "./time.ts";

export type TaskSpecInit = Exclude<
  MessageInitShape<typeof TaskSpecSchema>,
  { readonly $typeName: string }
>;
export type BidTermsInit = Exclude<
  MessageInitShape<typeof BidTermsSchema>,
  { readonly $typeName: string }
>;

/** What a task of a story may differ in. */
export interface TaskWish extends Omit<TaskSpecInit, "requirements"> {
  readonly capability?: string;
  readonly maxCost?: MoneyInit;
  readonly maxLatency?: Duration;
  readonly minSuccessRate?: number;
}

/** A task that passes every rule, awarded by hand; say only what matters. */
export function aTask(wish: TaskWish = {}): TaskSpecInit {
  const {
    capability = "iso_construction",
    maxCost = eur(2.5),
    maxLatency = minutes(30),
    minSuccessRate = 0.95,
    ...rest
  } = wish;
  return {
    taskType: "iso_construction",
    requirements: { capabilities: [capability], maxLatency, minSuccessRate, maxCost },
    biddingWindow: minutes(60),
    awardPolicy: AwardPolicy.MANUAL,
    ...rest,
  };
}

/** The terms of a bid that any task of `aTask` takes; say only what matters. */
export function terms(wish: Partial<BidTermsInit> = {}): BidTermsInit {
  return { price: eur(2), latency: minutes(20), successRate: 0.97, ...wish };
}

/** Puts a task up for auction. */
export async function post(buyer: Actor, spec: TaskSpecInit = aTask()): Promise<Task> {
  const { task } = await buyer.auction.postTask({ requester: buyer.id, spec });
  return task as Task;
}

/** Bids on a task. */
export async function bid(agent: Actor, task: Task, wish?: Partial<BidTermsInit>): Promise<Bid> {
  const request = { taskId: task.taskId, agentId: agent.id, terms: terms(wish) };
  return (await agent.auction.submitBid(request)).bid as Bid;
}

/** Awards a task to its best bid. */
export async function award(buyer: Actor, { taskId }: Task): Promise<Task> {
  return (await buyer.auction.awardTask({ taskId })).task as Task;
}

/** Delivers work on the award that a task shows. */
export async function deliver(agent: Actor, task: Task): Promise<Task> {
  const request = {
    taskId: task.taskId,
    agentId: agent.id,
    awardEpoch: task.award?.epoch ?? 0n,
    result: { reference: `https://work.example/${task.taskId}` },
  };
  return (await agent.auction.submitResult(request)).task as Task;
}

/** Looks at a task. */
export async function look(viewer: Pick<Actor, "auction">, { taskId }: Task): Promise<Task> {
  return (await viewer.auction.getTask({ taskId })).task as Task;
}
