import { Rejection } from "@bourse/rpc/rejection";
import type { Reason } from "./reason.ts";
import { lastAward, type Result, type Task } from "./task.ts";

/** What keeps an agent from being erased. */
export interface Obstacles {
  /** Tasks under way that it has asked for, judges, bids on or has in hand. */
  readonly liveTasks: number;
  /** One of them. */
  readonly taskId: string | undefined;
  /** Messages to other services that name it, the parked ones included. */
  readonly messages: number;
  readonly parked: number;
}

/** Erases agents from what is stored. */
export interface Eraser {
  obstacles(agentId: string): Promise<Obstacles>;
  /** Puts the alias in the place of the id in tasks that have ended, slice by slice; safe to repeat. */
  erase(agentId: string, alias: string, signal: AbortSignal): Promise<void>;
}

/**
 * Checks that nothing under way needs the agent's id any more.
 * @throws Rejection AGENT_HAS_LIVE_TASKS, AGENT_HAS_UNTOLD_MESSAGES
 */
export function refuseObstacles(obstacles: Obstacles): void {
  const { liveTasks, taskId = "", messages, parked } = obstacles;
  if (liveTasks > 0) {
    const reason: Reason = "AGENT_HAS_LIVE_TASKS";
    throw new Rejection(reason, `${liveTasks} tasks under way need the agent, such as ${taskId}`, {
      metadata: { tasks: String(liveTasks), task_id: taskId },
    });
  }
  if (messages > 0) {
    const reason: Reason = "AGENT_HAS_UNTOLD_MESSAGES";
    throw new Rejection(reason, `${messages} messages to other services name the agent`, {
      metadata: { messages: String(messages), parked: String(parked) },
    });
  }
}

/**
 * A task without an agent: the alias stands for it, and the texts that it wrote, that were written for it, or about its
 * work are gone. What others rely on stays: terms, times, prices, the digest of what was delivered.
 */
export function eraseFromTask(task: Task, agentId: string, alias: string): Task {
  const renamed = (id: string) => (id === agentId ? alias : id);
  const { spec, result } = task;
  const isRequester = task.requester === agentId;
  const isWinner = task.awards.some((award) => award.agentId === agentId);
  const delivered = lastAward(task)?.agentId === agentId;
  const isParty = isRequester || isWinner || spec.evaluator === agentId;
  return {
    ...task,
    requester: renamed(task.requester),
    spec: {
      ...spec,
      evaluator: renamed(spec.evaluator),
      payload: isRequester ? undefined : spec.payload,
    },
    awards: task.awards.map((award) => ({ ...award, agentId: renamed(award.agentId) })),
    result: result && (isRequester || delivered) ? withoutTexts(result) : result,
    evaluation: isParty ? "" : task.evaluation,
  };
}

function withoutTexts(result: Result): Result {
  return { ...result, output: undefined, reference: "" };
}
