import { price, type RankedBid, rank, type ScoredBid, type Terms } from "@bourse/scoring";
import { deriveUuid } from "@bourse/service/derive";
import type { Bid } from "./bid.ts";
import { tell } from "./follow-up.ts";
import { expire, lastAward, later, move, type Step, type Task, type TaskSpec } from "./task.ts";

/**
 * Why an award is begun: on AwardTask, because bidding closed, by a first qualified bid, because
 * the one before lapsed.
 */
export type AwardCause = "HAND" | "CLOSE" | "FIRST" | "LAPSE";

/** Who won, on which terms. */
export interface Award {
  /** 1 for the first award of the task, one more for each that follows. */
  readonly epoch: number;
  readonly agentId: string;
  readonly bidId: string;
  /** What the winner is paid on success; in the currency of the task. */
  readonly priceMicros: bigint;
  /** Of the hold in the ledger. */
  readonly transactionId: string;
  readonly cause: AwardCause;
  /** What the winning bid asked. */
  readonly bidMicros: bigint;
  /** What the winning bid promised. */
  readonly bidLatencyMs: bigint;
  /** Absent until the price is held. */
  readonly awardTime?: Date | undefined;
  readonly deadline?: Date | undefined;
}

/** What the ledger is told of an award, so that it can end by itself; in milliseconds. */
export interface HoldTerms {
  /** How long the price is held when the ledger hears of no delivery. */
  readonly holdMs: bigint;
  /** What the winning bid promised; what comes later is late. */
  readonly withinMs: bigint;
  /** How long after the delivery silence accepts. */
  readonly reviewMs: bigint;
}

/** A bid with its score, its parts and its place. */
export type Ranked = RankedBid<ScoredBid & { readonly bid: Bid }>;

/**
 * How long whoever begins an award has for getting its price held, before others take the task
 * over.
 */
export const AWARDING_LEASE_MS = 5_000;

/**
 * How long the ledger waits beyond the deadline and the review before it ends a hold by its own
 * rules. The auction ends every award itself before that, and each award has a hold of its own;
 * only one that could not tell the ledger for so long finds it ended.
 */
export const HOLD_MARGIN_MS = 7n * 24n * 3_600_000n;

/**
 * The bids, best first. It depends on nothing but the terms and the bids, so it is computed and
 * never stored.
 */
export function rankBids(spec: TaskSpec, bids: readonly Bid[]): readonly Ranked[] {
  return rank(spec.scoringPolicy, termsOf(spec), bids.map(scored));
}

/** By how much the best score beats the next; 0 with fewer than two bids. */
export function marginMicros(ranking: readonly Ranked[]): bigint {
  const [best, next] = ranking;
  return best === undefined || next === undefined ? 0n : next.scoreMicros - best.scoreMicros;
}

/** What the first of a ranking is paid. Throws RangeError when there is none. */
export function priceOf(spec: TaskSpec, ranking: readonly Ranked[]): bigint {
  return price(spec.paymentRule, spec.scoringPolicy, termsOf(spec), ranking);
}

/**
 * Chooses the best bid that still stands: the task is AWARDING until its price is held. Bids of
 * agents that have lost an award of this task are out. Undefined when no bid stands.
 */
export function beginAward(
  task: Task,
  bids: readonly Bid[],
  cause: AwardCause,
  now: Date,
): Step | undefined {
  const lost = new Set(task.awards.map((award) => award.agentId));
  const ranking = rankBids(
    task.spec,
    bids.filter((bid) => !lost.has(bid.agentId)),
  );
  const [best] = ranking;
  if (best === undefined) return undefined;
  const epoch = task.epoch + 1;
  const award: Award = {
    epoch,
    agentId: best.bid.agentId,
    bidId: best.bidId,
    priceMicros: priceOf(task.spec, ranking),
    transactionId: holdId(task.taskId, epoch, best.bidId),
    cause,
    bidMicros: best.priceMicros,
    bidLatencyMs: best.latencyMs,
  };
  const awarding = move(task, "AWARDING", {
    updateTime: now,
    epoch,
    awards: [...task.awards, award],
    dueTime: later(now, AWARDING_LEASE_MS),
  });
  return { task: awarding, followUps: [] };
}

/** The price is held: the winner is told, and the time that it has begins. */
export function confirmAward(task: Task, now: Date): Step {
  const award = awardInMaking(task);
  const deadline = later(now, task.spec.requirements.maxLatencyMs);
  const awarded = move(task, "AWARDED", {
    updateTime: now,
    awards: [...task.awards.slice(0, -1), { ...award, awardTime: now, deadline }],
    dueTime: deadline,
  });
  const event = tell(awarded, now, "task_awarded", {
    nth: award.epoch,
    subjects: { winner: award.agentId },
    payload: {
      epoch: award.epoch,
      bid_id: award.bidId,
      price_micros: award.priceMicros,
      currency: task.spec.requirements.maxCost.currency,
      transaction_id: award.transactionId,
      total_bids: task.bidCount,
    },
  });
  return { task: awarded, followUps: [event] };
}

/**
 * The price cannot be held. An award that somebody asked for leaves the task open; any other ends
 * it, since trying again by itself would never end. The epoch stays consumed, because its
 * transaction id is burnt.
 */
export function refuseAward(task: Task, now: Date): Step {
  const award = awardInMaking(task);
  const without = { ...task, awards: task.awards.slice(0, -1) };
  if (award.cause !== "HAND") return expire(without, "NO_FUNDS", now);
  const open = move(without, "OPEN", { updateTime: now, dueTime: task.biddingCloseTime });
  return { task: open, followUps: [] };
}

/** On which terms the price of an award is held. */
export function holdTerms({ spec }: Task, { bidLatencyMs }: Award): HoldTerms {
  const reviewMs = spec.reviewWindowMs + HOLD_MARGIN_MS;
  return { holdMs: spec.requirements.maxLatencyMs + reviewMs, withinMs: bidLatencyMs, reviewMs };
}

/** Tries to get the price held again `inMs` from now. */
export function postpone(task: Task, now: Date, inMs: number): Task {
  return { ...task, dueTime: later(now, inMs), attempts: task.attempts + 1 };
}

/** The award before the one that is being made, whose hold must be gone before another is made. */
export function lapsedBefore(task: Task): Award | undefined {
  return task.awards.at(-2);
}

/** With the id of a bid, which is sealed, so that nobody can take the id of a first hold before. */
function holdId(taskId: string, epoch: number, bidId: string): string {
  return deriveUuid("hold", taskId, epoch, bidId);
}

function awardInMaking(task: Task): Award {
  const award = lastAward(task);
  if (award === undefined || task.state !== "AWARDING") {
    throw new Error(`task ${task.taskId} is ${task.state}, not AWARDING`);
  }
  return award;
}

function termsOf({ requirements, valueMicros }: TaskSpec): Terms {
  return {
    maxCostMicros: requirements.maxCost.micros,
    maxLatencyMs: requirements.maxLatencyMs,
    complexity: requirements.complexity,
    valueMicros,
  };
}

function scored(bid: Bid): ScoredBid & { readonly bid: Bid } {
  return {
    bidId: bid.bidId,
    sequence: BigInt(bid.sequence),
    priceMicros: bid.terms.price.micros,
    latencyMs: bid.terms.latencyMs,
    successPpm: bid.terms.successPpm,
    calibrationPpm: bid.calibrationPpm,
    multiplierPpm: bid.multiplierPpm,
    bid,
  };
}
