import { enqueue, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import {
  deleteDecline,
  hasBid,
  insertBids,
  insertDecline,
  selectBids,
  selectDeclines,
  selectRefusals,
  upsertRefusals,
} from "./postgres/bids.ts";
import {
  countInHand,
  countLive,
  insertTask,
  listTasks,
  lockDueTask,
  scheduleTask,
  selectDueTasks,
  selectNextDueTime,
  selectTask,
  updateTask,
} from "./postgres/tasks.ts";
import type { AuctionStore, AuctionTx } from "./store.ts";

export { readChanges } from "./postgres/tasks.ts";

/** What a committed transaction did, for those who wait for it. */
export interface Written {
  /** Tasks changed as watchers see them. */
  readonly isVisible: boolean;
  /** Messages were enqueued. */
  readonly isTold: boolean;
  /** The earliest time at which one of the tasks written is due. */
  readonly dueTime: Date | undefined;
}

/** The store on Postgres. `onWrite` hears of every transaction that committed. */
export function createStore(pool: Pool, onWrite: (written: Written) => void): AuctionStore {
  return {
    async write(work, signal) {
      let written = NOTHING;
      const result = await withTransaction(
        pool,
        (sql) => {
          written = NOTHING;
          return work(
            createTx(sql, (more) => {
              written = join(written, more);
            }),
          );
        },
        signal === undefined ? {} : { signal },
      );
      onWrite(written);
      return result;
    },
    task: (taskId) => selectTask(pool, taskId),
    tasks: (filter, page) => listTasks(pool, filter, page),
    bids: (taskId) => selectBids(pool, taskId),
    hasBid: (taskId, agentId) => hasBid(pool, taskId, agentId),
    refusals: (taskId) => selectRefusals(pool, taskId),
    declines: (taskId) => selectDeclines(pool, taskId),
    inHand: (agentIds) => countInHand(pool, agentIds),
    dueTasks: (at, limit) => selectDueTasks(pool, at, limit),
    nextDueTime: () => selectNextDueTime(pool),
    countLive: () => countLive(pool),
  };
}

const NOTHING: Written = { isVisible: false, isTold: false, dueTime: undefined };

function createTx(sql: Tx, note: (written: Partial<Written>) => void): AuctionTx {
  return {
    sql,
    insertTask: (task) => {
      note({ isVisible: true, dueTime: task.dueTime });
      return insertTask(sql, task);
    },
    lockTask: (taskId) => selectTask(sql, taskId, "lock"),
    lockDueTask: (taskId, at) => lockDueTask(sql, taskId, at),
    saveTask: (task) => {
      note({ isVisible: true, dueTime: task.dueTime });
      return updateTask(sql, task);
    },
    scheduleTask: (task) => {
      note({ dueTime: task.dueTime });
      return scheduleTask(sql, task);
    },
    insertBids: (bids) => insertBids(sql, bids),
    bids: (taskId) => selectBids(sql, taskId),
    hasBid: (taskId, agentId) => hasBid(sql, taskId, agentId),
    inHand: (agentIds) => countInHand(sql, agentIds),
    putRefusals: (taskId, refusals) => upsertRefusals(sql, taskId, refusals),
    putDecline: (taskId, decline) => insertDecline(sql, taskId, decline),
    dropDecline: (taskId, agentId) => deleteDecline(sql, taskId, agentId),
    enqueue: (messages, now) => {
      note({ isTold: messages.length > 0 });
      return enqueue(sql, messages, now);
    },
  };
}

function join(a: Written, b: Partial<Written>): Written {
  return {
    isVisible: a.isVisible || b.isVisible === true,
    isTold: a.isTold || b.isTold === true,
    dueTime: earlier(a.dueTime, b.dueTime),
  };
}

function earlier(a: Date | undefined, b: Date | undefined): Date | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
