import { bidFromCostModel, type CostModel, postedPriceMicros } from "@bourse/scoring";
import { type Bid, type Bidder, type BidTerms, checkBid, type Refusal } from "./bid.ts";
import type { Task, TaskSpec } from "./task.ts";

/** An agent that asked the market to bid for it. */
export interface AutomaticBidder extends Bidder {
  readonly costModel: CostModel;
  /** Absent: that of the task. */
  readonly currency?: string | undefined;
  /** What its SLA promises. */
  readonly successPpm: bigint;
  /**
   * The success rate that it exceeds with some certainty, for the capability it is least sure at.
   */
  readonly reliabilityPpm: bigint;
}

/** The most agents that the market bids for on one task. */
export const AUTOMATIC_BIDS_MAX = 100;

/** More than any task may cost, and still an amount that can be told. */
const PRICE_MICROS_MAX = 9_000_000_000_000_001n;

/** Bids and refusals that the market made on behalf of agents. */
export interface AutomaticBids {
  readonly bids: readonly Bid[];
  readonly refusals: readonly Refusal[];
}

/** The agents to bid for: at most AUTOMATIC_BIDS_MAX, the most reliable first, ties by id. */
export function chooseBidders(
  task: Pick<Task, "requester" | "spec">,
  candidates: Iterable<AutomaticBidder>,
): readonly AutomaticBidder[] {
  const { evaluator, requirements } = task.spec;
  return [...candidates]
    .filter(({ agentId }) => agentId !== task.requester && agentId !== evaluator)
    .filter(({ capabilities }) => requirements.capabilities.every((name) => capabilities.has(name)))
    .sort((a, b) => Number(b.reliabilityPpm - a.reliabilityPpm) || (a.agentId < b.agentId ? -1 : 1))
    .slice(0, AUTOMATIC_BIDS_MAX);
}

/**
 * Bids for each agent in turn, as a bid of its own would be checked. Where the first qualified bid
 * wins, the market stops at the first that is legal.
 */
export function bidAutomatically(
  task: Task,
  bidders: readonly AutomaticBidder[],
  options: {
    readonly now: Date;
    readonly newId: () => string;
    /** Tasks in hand by agent. */
    readonly inHand: ReadonlyMap<string, number>;
    /** Agents that have a bid on the task. */
    readonly present?: ReadonlySet<string>;
  },
): AutomaticBids {
  const { now, newId, inHand, present } = options;
  const bids: Bid[] = [];
  const refusals: Refusal[] = [];
  for (const bidder of bidders) {
    const { agentId } = bidder;
    const terms = automaticTerms(task.spec, bidder);
    const faults = checkBid(task, bidder, terms, {
      agentId,
      now,
      hasBid: present?.has(agentId) ?? false,
      inHand: inHand.get(agentId) ?? 0,
    });
    if (faults.length > 0) {
      refusals.push({ agentId, terms, faults, submitTime: now });
      continue;
    }
    bids.push(
      makeBid(task, bidder, terms, {
        bidId: newId(),
        sequence: task.bidCount + bids.length + 1,
        automatic: true,
        now,
      }),
    );
    if (task.spec.awardPolicy === "FIRST_QUALIFIED") break;
  }
  return { bids, refusals };
}

/** A bid that was found legal, with what is known of its agent now. */
export function makeBid(
  task: Task,
  bidder: Bidder,
  terms: BidTerms,
  made: {
    readonly bidId: string;
    readonly sequence: number;
    readonly automatic: boolean;
    readonly now: Date;
  },
): Bid {
  return {
    bidId: made.bidId,
    taskId: task.taskId,
    agentId: bidder.agentId,
    terms,
    calibrationPpm: bidder.calibrationPpm,
    multiplierPpm: bidder.multiplierPpm,
    sequence: made.sequence,
    automatic: made.automatic,
    submitTime: made.now,
  };
}

/** What an agent's cost model asks and promises; under POSTED_PRICE the posted price instead. */
export function automaticTerms(spec: TaskSpec, bidder: AutomaticBidder): BidTerms {
  const { maxCost, maxLatencyMs, complexity } = spec.requirements;
  const bid = bidFromCostModel({
    model: bidder.costModel,
    successPpm: bidder.successPpm,
    maxLatencyMs,
    complexity,
  });
  const { latencyMs, successPpm } = bid;
  if (spec.scoringPolicy === "POSTED_PRICE") {
    const micros = postedPriceMicros(complexity, bidder.multiplierPpm);
    return { price: { micros, currency: maxCost.currency }, latencyMs, successPpm };
  }
  const currency = bidder.currency ?? maxCost.currency;
  const micros = bid.priceMicros > PRICE_MICROS_MAX ? PRICE_MICROS_MAX : bid.priceMicros;
  return { price: { micros, currency }, latencyMs, successPpm };
}
