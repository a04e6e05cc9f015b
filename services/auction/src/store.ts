import type { OutboxMessage, Pool, Tx } from "@bourse/postgres";
import type { FeedRange, FeedRow } from "@bourse/postgres/feed";
import type { Bid, Refusal } from "./bid.ts";
import type { Task, TaskState } from "./task.ts";

/** An agent that said that it will not bid. */
export interface Decline {
  readonly agentId: string;
  readonly reason: string;
  readonly declineTime: Date;
}

/** Which tasks to list; what is absent or empty does not filter. */
export interface TaskFilter {
  readonly states: readonly TaskState[];
  readonly requester: string;
  /** Of an award that was made; one in the making does not count. */
  readonly winner: string;
  readonly capability: string;
}

/** A page of a list: behind the cursor, newest first. */
export interface Page {
  readonly size: number;
  readonly after?: { readonly createTime: Date; readonly taskId: string } | undefined;
}

/** Which tasks to follow; what is absent or empty does not filter. */
export interface WatchFilter {
  /** Only tasks that require nothing beyond these. */
  readonly capabilities: readonly string[];
  /** Only in the snapshot. */
  readonly states: readonly TaskState[];
  readonly requester: string;
  /** That was ever told of an award. */
  readonly winner: string;
}

/** Where tasks and bids are kept. Reads see what is committed. */
export interface AuctionStore {
  /**
   * Runs `work` in one transaction; nothing is written when it throws. It may run again after a
   * deadlock.
   */
  write<T>(work: (tx: AuctionTx) => Promise<T>, signal?: AbortSignal): Promise<T>;
  task(taskId: string): Promise<Task | undefined>;
  /** Newest first. */
  tasks(filter: TaskFilter, page: Page): Promise<readonly Task[]>;
  /** In order of arrival. */
  bids(taskId: string): Promise<readonly Bid[]>;
  hasBid(taskId: string, agentId: string): Promise<boolean>;
  /** By agent. */
  refusals(taskId: string): Promise<readonly Refusal[]>;
  /** By agent. */
  declines(taskId: string): Promise<readonly Decline[]>;
  /** How many tasks each agent has in hand; agents without any are not in the map. */
  inHand(agentIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Ids of tasks that are due at a time, the most overdue first. */
  dueTasks(at: Date, limit: number): Promise<readonly string[]>;
  /** When the next task is due. */
  nextDueTime(): Promise<Date | undefined>;
  /** How many tasks are in each state that is no end. */
  countLive(): Promise<ReadonlyMap<TaskState, number>>;
}

/** What a transaction can do. */
export interface AuctionTx {
  /** For the memory of requests. */
  readonly sql: Tx;
  /** False when there is a task with this id already. */
  insertTask(task: Task): Promise<boolean>;
  /** The task, which nobody else can change until the transaction ends. */
  lockTask(taskId: string): Promise<Task | undefined>;
  /** The same, unless it is not due or somebody else has it. */
  lockDueTask(taskId: string, at: Date): Promise<Task | undefined>;
  /** Writes a change that watchers see. */
  saveTask(task: Task): Promise<void>;
  /** Writes when the market acts next; watchers are not woken. */
  scheduleTask(task: Task): Promise<void>;
  insertBids(bids: readonly Bid[]): Promise<void>;
  bids(taskId: string): Promise<readonly Bid[]>;
  hasBid(taskId: string, agentId: string): Promise<boolean>;
  inHand(agentIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Keeps the latest refusal of each agent; answers with the agents that had none before. */
  putRefusals(taskId: string, refusals: readonly Refusal[]): Promise<readonly string[]>;
  /** Keeps the first decline of an agent; answers with it, and whether it is this one. */
  putDecline(taskId: string, decline: Decline): Promise<{ decline: Decline; isFirst: boolean }>;
  /** An agent that bids no longer declines. */
  dropDecline(taskId: string, agentId: string): Promise<void>;
  enqueue(messages: readonly OutboxMessage[], now: Date): Promise<void>;
}

/** Reads a page of changed tasks for a feed. */
export type ReadChanges = (
  filter: WatchFilter,
) => (pool: Pool, range: FeedRange) => Promise<readonly FeedRow<Task>[]>;
