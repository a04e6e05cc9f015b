import type { Bid, Refusal } from "./bid.ts";
import { type FollowUp, tell } from "./follow-up.ts";
import type { Task } from "./task.ts";

type Told = Pick<Task, "taskId" | "requester">;

/** Tells of a bid. */
export function bidSubmitted(task: Told, bid: Bid): FollowUp {
  const { terms } = bid;
  return tell(task, bid.submitTime, "bid_submitted", {
    nth: bid.bidId,
    subjects: { agent: bid.agentId },
    payload: {
      bid_id: bid.bidId,
      price_micros: terms.price.micros,
      currency: terms.price.currency,
      latency_ms: terms.latencyMs,
      success_ppm: terms.successPpm,
      automatic: bid.automatic,
    },
  });
}

/**
 * Tells of the first bid of an agent that was refused. `nth` is drawn for it: an event's id that named the agent would
 * stay on the record when the agent is erased.
 */
export function bidRefused(task: Told, refusal: Refusal, nth: string): FollowUp {
  return tell(task, refusal.submitTime, "bid_refused", {
    nth,
    subjects: { agent: refusal.agentId },
    payload: { reasons: refusal.faults.map((fault) => fault.reason).join(" ") },
  });
}

/** Tells that an agent will not bid. What it said stays with the task: it may be anything. */
export function bidDeclined(task: Told, agentId: string, nth: string, now: Date): FollowUp {
  return tell(task, now, "bid_declined", { nth, subjects: { agent: agentId } });
}
