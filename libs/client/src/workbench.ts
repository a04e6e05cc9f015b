import { type Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Desk, Working } from "./agent.ts";
import { retrying } from "./bidding.ts";
import { followTasks } from "./follow.ts";

/** An award that was taken up: the epoch, and what ends the work on it. */
interface Job {
  readonly epoch: bigint;
  readonly ending: AbortController;
}

const ENDED: ReadonlySet<TaskState> = new Set([
  TaskState.SUCCEEDED,
  TaskState.FAILED,
  TaskState.CANCELLED,
  TaskState.EXPIRED,
]);

/** Works on what the agent has won and delivers it, each award once, until the agent stops. */
export async function workOnAwards(desk: Desk, work: Working): Promise<void> {
  const { agentId, underWay, noteLoad } = desk;
  const jobs = new Map<string, Job>();
  const filter = { winner: agentId, states: [TaskState.AWARDED] };
  for await (const task of followTasks(desk.market, filter, retrying(desk))) {
    const { taskId, award, state } = task;
    const job = jobs.get(taskId);
    const mine = award?.agentId === agentId ? award.epoch : undefined;
    if (job !== undefined && (ENDED.has(state) || mine !== job.epoch)) {
      job.ending.abort(new Error("the task went to another, or ended"));
      jobs.delete(taskId);
    }
    if (state !== TaskState.AWARDED || mine === undefined || jobs.has(taskId)) continue;
    const taken: Job = { epoch: mine, ending: new AbortController() };
    jobs.set(taskId, taken);
    const done = workOn(desk, work, task, taken).finally(() => {
      underWay.delete(done);
      noteLoad();
    });
    underWay.add(done);
    noteLoad();
  }
}

/** Works on an award and delivers; whatever goes wrong concerns this task only. */
async function workOn(
  desk: Desk,
  work: Working,
  task: Task,
  { epoch, ending }: Job,
): Promise<void> {
  const { market, agentId, tell } = desk;
  const { taskId } = task;
  const signal = AbortSignal.any([ending.signal, desk.signal]);
  tell({ kind: "won", task });
  try {
    const result = await work(task, signal);
    if (ending.signal.aborted) return tell({ kind: "lost", task });
    // Delivered even while the agent stops: the work is done.
    const request = { taskId, agentId, awardEpoch: epoch, result };
    await desk.insist(() => market.auction.submitResult(request));
    tell({ kind: "delivered", task });
  } catch (error) {
    if (ending.signal.aborted) tell({ kind: "lost", task });
    else if (!desk.signal.aborted) tell({ kind: "failed", task, error });
  }
}
