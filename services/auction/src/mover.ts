import { Rejection } from "@bourse/rpc/rejection";
import { writeFollowUps } from "./codec/message.ts";
import type { Journal } from "./journal.ts";
import type { AuctionStore, AuctionTx } from "./store.ts";
import type { Step, Task } from "./task.ts";
import { advance, isDue } from "./timetable.ts";

/** What is to be done to a task, given as it stands at a time. It refuses by throwing. */
export type Act = (task: Task, tx: AuctionTx, at: Date) => Step | Promise<Step>;

/** Moves tasks: the only way in which a stored task changes. */
export interface Mover {
  /**
   * Locks a task, moves it to where it stands now, acts, and writes it with all that follows.
   * @throws Rejection TASK_NOT_FOUND and what `act` refuses with; then nothing is written
   */
  move(taskId: string, act: Act, signal?: AbortSignal): Promise<Task>;
  /**
   * The same for a task that is due, without an act; undefined when it is not due or another has
   * it.
   */
  moveDue(taskId: string, onAwarding: (task: Task, at: Date) => Task): Promise<Task | undefined>;
}

/** A step with the task before it. */
interface Moved {
  readonly before: Task;
  readonly step: Step;
}

/** Makes a mover. */
export function createMover(options: {
  readonly store: AuctionStore;
  readonly journal: Journal;
  readonly now: () => Date;
}): Mover {
  const { store, journal, now } = options;

  async function caughtUp(tx: AuctionTx, task: Task, at: Date): Promise<Step> {
    return isDue(task, at)
      ? advance(task, await tx.bids(task.taskId), at)
      : { task, followUps: [] };
  }

  function told({ before, step }: Moved): Task {
    journal.told(before, step);
    return step.task;
  }

  return {
    async move(taskId, act, signal) {
      const moved = await store.write(async (tx): Promise<Moved> => {
        const before = await tx.lockTask(taskId);
        if (before === undefined) throw notFound(taskId);
        const at = now();
        const current = await caughtUp(tx, before, at);
        const acted = await act(current.task, tx, at);
        const followUps = [...current.followUps, ...acted.followUps];
        return writeStep(tx, before, { task: acted.task, followUps }, at);
      }, signal);
      return told(moved);
    },
    async moveDue(taskId, onAwarding) {
      const moved = await store.write(async (tx): Promise<Moved | undefined> => {
        const at = now();
        const before = await tx.lockDueTask(taskId, at);
        if (before === undefined) return undefined;
        if (before.state !== "AWARDING") {
          return writeStep(tx, before, await caughtUp(tx, before, at), at);
        }
        const task = onAwarding(before, at);
        await tx.scheduleTask(task);
        return { before, step: { task, followUps: [] } };
      });
      return moved && told(moved);
    },
  };
}

/** The refusal of what names no task. */
export function notFound(taskId: string): Rejection {
  return new Rejection("TASK_NOT_FOUND", `there is no task ${taskId}`, {
    metadata: { task_id: taskId },
  });
}

async function writeStep(tx: AuctionTx, before: Task, step: Step, at: Date): Promise<Moved> {
  if (step.task !== before) await tx.saveTask(step.task);
  await tx.enqueue(writeFollowUps(before.taskId, step.followUps), at);
  return { before, step };
}
