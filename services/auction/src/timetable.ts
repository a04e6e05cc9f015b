import { beginAward } from "./award.ts";
import type { Bid } from "./bid.ts";
import { acceptBySilence, lapse } from "./completion.ts";
import { expire, type Step, type Task } from "./task.ts";

/**
 * Whether time alone moves a task on: its window closed, its winner is late, its review is over.
 */
export function isDue(task: Task, now: Date): boolean {
  return task.state !== "AWARDING" && task.dueTime !== undefined && task.dueTime <= now;
}

/**
 * Moves a task to where it stands at a time. Whoever acts on a task does this first, so that what
 * is true does not depend on when somebody came to look. One step is enough: what it leads to is
 * due later, or is AWARDING.
 */
export function advance(task: Task, bids: readonly Bid[], now: Date): Step {
  if (!isDue(task, now)) return { task, followUps: [] };
  switch (task.state) {
    case "OPEN":
      return close(task, bids, now);
    case "AWARDED":
      return lapse(task, bids, now);
    case "DELIVERED":
      return acceptBySilence(task, now);
    default:
      throw new Error(`task ${task.taskId} is ${task.state}: nothing is due`);
  }
}

function close(task: Task, bids: readonly Bid[], now: Date): Step {
  if (task.spec.awardPolicy === "MANUAL") {
    return expire(task, task.bidCount === 0 ? "NO_BIDS" : "NOT_AWARDED", now);
  }
  return beginAward(task, bids, "CLOSE", now) ?? expire(task, "NO_BIDS", now);
}
