import type { Outcome, Task } from "./task.ts";

/** What happened, as the record of the market is told. */
export type EventType =
  | "auction_created"
  | "bid_submitted"
  | "bid_refused"
  | "bid_declined"
  | "task_awarded"
  | "award_lapsed"
  | "result_delivered"
  | "task_completed"
  | "task_cancelled"
  | "task_expired";

/** One thing that happened. */
export interface MarketEvent {
  /** Follows from what happened, so that telling it twice records it once. */
  readonly eventId: string;
  readonly type: EventType;
  readonly time: Date;
  readonly taskId: string;
  /** Agent ids by the part they play. */
  readonly subjects: Readonly<Record<string, string>>;
  /** Facts without personal data. */
  readonly payload: Facts;
}

/** Facts about an event. */
export type Facts = Readonly<Record<string, string | number | bigint | boolean>>;

/** Something that others must be told, at least once, because a task changed. */
export type FollowUp =
  | { readonly kind: "settle" | "cancel"; readonly transactionId: string }
  | {
      readonly kind: "deliver";
      readonly transactionId: string;
      /** Of the result, in hex; "" when the winner did not tell it. */
      readonly sha256: string;
      /** From the award to the delivery. */
      readonly latencyMs: bigint;
    }
  | {
      readonly kind: "credits";
      readonly creditId: string;
      readonly agentId: string;
      /** In millionths of a credit; not 0. */
      readonly creditMicros: bigint;
      readonly taskId: string;
    }
  | {
      readonly kind: "outcome";
      readonly outcomeId: string;
      readonly agentId: string;
      readonly requester: string;
      readonly capability: string;
      readonly currency: string;
      readonly outcome: Outcome;
      readonly endTime: Date;
    }
  | { readonly kind: "event"; readonly event: MarketEvent };

/** Pays the winner. */
export function settle(transactionId: string): FollowUp {
  return { kind: "settle", transactionId };
}

/** Gives the requester its money back. */
export function cancel(transactionId: string): FollowUp {
  return { kind: "cancel", transactionId };
}

/**
 * Tells of something that happened to a task; `nth` tells apart what can happen to it more than
 * once.
 */
export function tell(
  task: Pick<Task, "taskId" | "requester">,
  time: Date,
  type: EventType,
  details: {
    readonly nth?: string | number;
    readonly subjects?: Readonly<Record<string, string>>;
    readonly payload?: Facts;
  } = {},
): FollowUp {
  const { taskId, requester } = task;
  const nth = details.nth === undefined ? "" : `/${details.nth}`;
  const event: MarketEvent = {
    eventId: `${type}/${taskId}${nth}`,
    type,
    time,
    taskId,
    subjects: { requester, ...details.subjects },
    payload: details.payload ?? {},
  };
  return { kind: "event", event };
}

/** Tells that a task expired. */
export function expired(task: Task, now: Date): FollowUp {
  return tell(task, now, "task_expired", {
    payload: { reason: task.endReason ?? "", bids: task.bidCount },
  });
}
