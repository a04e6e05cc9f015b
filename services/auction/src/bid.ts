import { type Fault, Rejection } from "@bourse/rpc/rejection";
import { formatDuration, formatMicros, type Money, postedPriceMicros } from "@bourse/scoring";
import type { BidReason } from "./reason.ts";
import type { Task } from "./task.ts";

/** What a bid promises. */
export interface BidTerms {
  readonly price: Money;
  readonly latencyMs: bigint;
  /** 0 to 1,000,000. */
  readonly successPpm: bigint;
}

/** A bid that met the requirements when it came, with what was known of its agent then. */
export interface Bid {
  readonly bidId: string;
  readonly taskId: string;
  readonly agentId: string;
  readonly terms: BidTerms;
  /** 0 to 1,000,000. */
  readonly calibrationPpm: bigint;
  /** 500,000 to 2,000,000. */
  readonly multiplierPpm: bigint;
  /** The order of arrival within the task, from 1. */
  readonly sequence: number;
  /** Made by the market from the agent's cost model. */
  readonly automatic: boolean;
  readonly submitTime: Date;
}

/** What the market knows of an agent that bids. */
export interface Bidder {
  readonly agentId: string;
  readonly state: "ONLINE" | "BUSY" | "OFFLINE" | "MAINTENANCE";
  readonly capabilities: ReadonlySet<string>;
  readonly calibrationPpm: bigint;
  readonly multiplierPpm: bigint;
  /** How many tasks it works on at once. */
  readonly maxConcurrent: number;
}

/** A rule that a bid breaks. */
export interface BidFault extends Fault {
  readonly reason: BidReason;
}

/** A bid that was refused. */
export interface Refusal {
  readonly agentId: string;
  readonly terms: BidTerms;
  /** At least one. */
  readonly faults: readonly BidFault[];
  readonly submitTime: Date;
}

/** What a bid is checked against, beside the task and the agent. */
export interface BidContext {
  readonly agentId: string;
  readonly now: Date;
  readonly hasBid: boolean;
  /** Tasks of this market that the agent has in hand: being awarded to it, awarded, delivered. */
  readonly inHand: number;
}

/** What a bid without a success rate promises: 0.95. */
export const DEFAULT_SUCCESS_PPM = 950_000n;

/**
 * Every rule that a bid breaks, in the order in which they decide its refusal. A rule that cannot
 * be judged because of another (the price, in a foreign currency; the skills of an unknown agent)
 * is not named.
 */
export function checkBid(
  task: Task,
  bidder: Bidder | undefined,
  terms: BidTerms,
  context: BidContext,
): readonly BidFault[] {
  return [
    ...checkTask(task, context.now),
    ...checkParty(task, bidder, context.agentId),
    ...checkPrice(task, bidder, terms),
    ...checkPromise(task, terms),
    ...checkRoom(bidder, context),
  ];
}

/** The rejection of a bid: the first fault gives the reason, all are named. */
export function bidRejection(taskId: string, refusal: Refusal): Rejection {
  const { agentId, faults } = refusal;
  const reason = faults[0]?.reason ?? "TASK_NOT_OPEN";
  return new Rejection(reason, faults.map((fault) => fault.description).join("; "), {
    faults,
    metadata: { task_id: taskId, agent_id: agentId },
  });
}

/** The currency of a task. */
export function currencyOf(task: Task): string {
  return task.spec.requirements.maxCost.currency;
}

function* checkTask(task: Task, now: Date): Generator<BidFault> {
  if (task.state !== "OPEN") {
    yield fault("TASK_NOT_OPEN", "task_id", `Task is not open. Status: ${task.state}`);
  } else if (now >= task.biddingCloseTime) {
    const closed = task.biddingCloseTime.toISOString();
    yield fault("BIDDING_CLOSED", "task_id", `Bidding closed at ${closed}`);
  }
}

function* checkParty(task: Task, bidder: Bidder | undefined, agentId: string): Generator<BidFault> {
  const { requirements, evaluator } = task.spec;
  if (bidder === undefined) {
    yield fault("AGENT_NOT_REGISTERED", "agent_id", `Agent ${agentId} is not registered`);
  } else if (bidder.state === "OFFLINE" || bidder.state === "MAINTENANCE") {
    yield fault("AGENT_NOT_AVAILABLE", "agent_id", `Agent ${agentId} is ${bidder.state}`);
  }
  if (agentId === task.requester) {
    yield fault("SELF_BID", "agent_id", `Agent ${agentId} has asked for this task itself`);
  }
  if (agentId === evaluator) {
    yield fault("EVALUATOR_BID", "agent_id", `Agent ${agentId} judges this task`);
  }
  const missing = requirements.capabilities.filter(
    (name) => bidder?.capabilities.has(name) === false,
  );
  if (missing.length > 0) {
    const description = `Agent ${agentId} lacks required capability: ${missing.join(", ")}`;
    yield fault("CAPABILITY_MISSING", "agent_id", description);
  }
}

function* checkPrice(
  task: Task,
  bidder: Bidder | undefined,
  { price }: BidTerms,
): Generator<BidFault> {
  const { maxCost } = task.spec.requirements;
  const asked = formatAmount(price.micros);
  if (price.micros <= 0n) {
    yield fault("PRICE_NOT_POSITIVE", "terms.price", `Bid cost (${asked}) must be more than 0`);
  }
  if (price.currency !== maxCost.currency) {
    const description = `Bid currency (${price.currency}) is not that of the task (${maxCost.currency})`;
    yield fault("CURRENCY_MISMATCH", "terms.price.currency_code", description);
    return;
  }
  if (price.micros > maxCost.micros) {
    const description = `Bid cost (${asked}) exceeds max allowed (${formatAmount(maxCost.micros)})`;
    yield fault("COST_EXCEEDS_MAX", "terms.price", description);
  }
  if (task.spec.scoringPolicy !== "POSTED_PRICE" || bidder === undefined) return;
  const posted = postedPriceMicros(task.spec.requirements.complexity, bidder.multiplierPpm);
  if (price.micros !== posted) {
    const description = `Bid cost (${asked}) is not the posted price (${formatAmount(posted)})`;
    yield fault("PRICE_NOT_POSTED", "terms.price", description);
  }
}

function* checkPromise(task: Task, { latencyMs, successPpm }: BidTerms): Generator<BidFault> {
  const { maxLatencyMs, minSuccessPpm } = task.spec.requirements;
  const promised = latencyMs < 0n ? `-${formatDuration(-latencyMs)}` : formatDuration(latencyMs);
  if (latencyMs <= 0n) {
    const description = `Estimated latency (${promised}) must be at least 1ms`;
    yield fault("LATENCY_NOT_POSITIVE", "terms.latency", description);
  }
  if (latencyMs > maxLatencyMs) {
    const description = `Estimated latency (${promised}) exceeds max allowed (${formatDuration(maxLatencyMs)})`;
    yield fault("LATENCY_EXCEEDS_MAX", "terms.latency", description);
  }
  if (successPpm < minSuccessPpm) {
    const [claimed, least] = [formatAmount(successPpm), formatAmount(minSuccessPpm)];
    const description = `Estimated success rate (${claimed}) is below min required (${least})`;
    yield fault("SUCCESS_RATE_BELOW_MIN", "terms.success_rate", description);
  }
}

function* checkRoom(bidder: Bidder | undefined, context: BidContext): Generator<BidFault> {
  const { agentId, hasBid, inHand } = context;
  if (hasBid) yield fault("ALREADY_BID", "agent_id", `Agent ${agentId} has a bid on this task`);
  if (bidder !== undefined && inHand >= bidder.maxConcurrent) {
    const description = `Agent ${agentId} has ${inHand} tasks in hand and takes ${bidder.maxConcurrent} at once`;
    yield fault("CAPACITY_EXHAUSTED", "agent_id", description);
  }
}

function fault(reason: BidReason, field: string, description: string): BidFault {
  return { reason, field, description };
}

/** Exact, with at least two decimals. */
function formatAmount(micros: bigint): string {
  return formatMicros(micros, 6).replace(/0{1,4}$/, "");
}
