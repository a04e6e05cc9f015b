import type { Principal } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { Award } from "./award.ts";
import { isEnd, type Task } from "./task.ts";

type Viewer = Pick<Principal, "kind" | "id">;

/** Whether a caller is no agent, or the agent that asked for the task. */
export function speaksForRequester(task: Task, viewer: Viewer): boolean {
  return viewer.kind !== "agent" || viewer.id === task.requester;
}

/** Whether a caller may see the work: it asked for it, judges it, did it, or is no agent. */
export function isParty(task: Task, viewer: Viewer): boolean {
  return (
    speaksForRequester(task, viewer) ||
    viewer.id === task.spec.evaluator ||
    task.awards.at(-1)?.agentId === viewer.id
  );
}

/** The awards that a caller may know of: one in the making is the requester's to know. */
export function knownAwards(task: Task, viewer: Viewer): readonly Award[] {
  if (speaksForRequester(task, viewer)) return task.awards;
  return task.awards.filter((award) => award.awardTime !== undefined);
}

/**
 * Whether a caller may see all bids: they are sealed until the first award or the end, except for
 * the requester.
 */
export function maySeeBids(task: Task, viewer: Viewer): boolean {
  const isAwarded = task.awards.some((award) => award.awardTime !== undefined);
  return isAwarded || isEnd(task.state) || speaksForRequester(task, viewer);
}

/** @throws Rejection NOT_REQUESTER when an agent acts on what another asked for */
export function requireRequester(task: Task, viewer: Viewer): void {
  if (speaksForRequester(task, viewer)) return;
  throw new Rejection("NOT_REQUESTER", `task ${task.taskId} is not ${viewer.id}'s to decide`, {
    metadata: { task_id: task.taskId },
  });
}

/** @throws Rejection NOT_EVALUATOR when an agent judges what is not its to judge */
export function requireEvaluator(task: Task, viewer: Viewer): void {
  const evaluator = task.spec.evaluator === "" ? task.requester : task.spec.evaluator;
  if (viewer.kind !== "agent" || viewer.id === evaluator) return;
  throw new Rejection("NOT_EVALUATOR", `task ${task.taskId} is not ${viewer.id}'s to judge`, {
    metadata: { task_id: task.taskId },
  });
}

/** @throws Rejection BIDS_SEALED */
export function requireUnsealed(task: Task, viewer: Viewer): void {
  if (maySeeBids(task, viewer)) return;
  throw new Rejection("BIDS_SEALED", `the bids on task ${task.taskId} are sealed until the award`, {
    metadata: { task_id: task.taskId },
  });
}
