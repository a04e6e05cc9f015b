import type { Tx } from "@bourse/postgres";
import type { Award } from "../award.ts";
import type { Page, ReadChanges, TaskFilter } from "../store.ts";
import { lastAward, type Outcome, type Result, type Task, type TaskState } from "../task.ts";
import { formatDocument, parseDocument } from "./document.ts";

const COLUMNS = `id, requester, state, spec::text as spec, awards::text as awards, epoch,
  result::text as result, outcome::text as outcome, end_reason, evaluation, bid_count,
  created_at, updated_at, closes_at, ended_at, due_at, attempts`;

interface TaskRow {
  readonly id: string;
  readonly requester: string;
  readonly state: TaskState;
  readonly spec: string;
  readonly awards: string;
  readonly epoch: number;
  readonly result: string | null;
  readonly outcome: string | null;
  readonly end_reason: Task["endReason"] | null;
  readonly evaluation: string;
  readonly bid_count: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly closes_at: Date;
  readonly ended_at: Date | null;
  readonly due_at: Date | null;
  readonly attempts: number;
}

function toTask(row: TaskRow): Task {
  return {
    taskId: row.id,
    requester: row.requester,
    spec: parseDocument<Task["spec"]>(row.spec),
    state: row.state,
    createTime: row.created_at,
    updateTime: row.updated_at,
    biddingCloseTime: row.closes_at,
    endTime: row.ended_at ?? undefined,
    bidCount: row.bid_count,
    epoch: row.epoch,
    awards: parseDocument<readonly Award[]>(row.awards),
    result: row.result === null ? undefined : parseDocument<Result>(row.result),
    outcome: row.outcome === null ? undefined : parseDocument<Outcome>(row.outcome),
    endReason: row.end_reason ?? undefined,
    evaluation: row.evaluation,
    dueTime: row.due_at ?? undefined,
    attempts: row.attempts,
  };
}

/** False when the id is taken. */
export async function insertTask(tx: Tx, task: Task): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: "task-insert",
    text: `insert into tasks (id, requester, capabilities, spec, created_at, closes_at, state,
        awards, epoch, winner, winners, result, outcome, end_reason, evaluation, bid_count,
        updated_at, ended_at, due_at, attempts)
      values ($1, $15, $16, $17, $18, $19, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
        $20)
      on conflict on constraint tasks_pkey do nothing`,
    values: [
      ...changing(task),
      task.requester,
      task.spec.requirements.capabilities,
      formatDocument(task.spec),
      task.createTime,
      task.biddingCloseTime,
      task.attempts,
    ],
  });
  return rowCount === 1;
}

/** Writes everything that may change of a task. */
export async function updateTask(tx: Tx, task: Task): Promise<void> {
  const { rowCount } = await tx.query({
    name: "task-update",
    text: `update tasks
      set state = $2, awards = $3, epoch = $4, winner = $5, winners = $6, result = $7,
        outcome = $8, end_reason = $9, evaluation = $10, bid_count = $11, updated_at = $12,
        ended_at = $13, due_at = $14, attempts = $15, changed_in = pg_current_xact_id()
      where id = $1`,
    values: [...changing(task), task.attempts],
  });
  if (rowCount !== 1) throw new Error(`task ${task.taskId} is not there`);
}

function changing(task: Task): readonly unknown[] {
  return [
    task.taskId,
    task.state,
    formatDocument(task.awards),
    task.epoch,
    lastAward(task)?.agentId ?? null,
    winnersOf(task),
    task.result === undefined ? null : formatDocument(task.result),
    task.outcome === undefined ? null : formatDocument(task.outcome),
    task.endReason ?? null,
    task.evaluation,
    task.bidCount,
    task.updateTime,
    task.endTime ?? null,
    task.dueTime ?? null,
  ];
}

/** All agents that were ever told of an award. */
export function winnersOf(task: Task): readonly string[] {
  return task.awards.filter((award) => award.awardTime !== undefined).map((award) => award.agentId);
}

/** Writes when the market acts next, which is no change that a watcher sees. */
export async function scheduleTask(tx: Tx, task: Task): Promise<void> {
  await tx.query({
    name: "task-schedule",
    text: "update tasks set due_at = $2, attempts = $3 where id = $1",
    values: [task.taskId, task.dueTime ?? null, task.attempts],
  });
}

/** One task; with a lock, when asked. */
export async function selectTask(
  tx: Tx,
  taskId: string,
  mode: "read" | "lock" = "read",
): Promise<Task | undefined> {
  const lock = mode === "lock" ? "for update" : "";
  const { rows } = await tx.query<TaskRow>({
    name: `task-${mode}`,
    text: `select ${COLUMNS} from tasks where id = $1 ${lock}`,
    values: [taskId],
  });
  return rows.map(toTask)[0];
}

/** One task with a lock, unless it is not due at a time or locked by another. */
export async function lockDueTask(tx: Tx, taskId: string, at: Date): Promise<Task | undefined> {
  const { rows } = await tx.query<TaskRow>({
    name: "task-lock-due",
    text: `select ${COLUMNS} from tasks where id = $1 and due_at <= $2 for update skip locked`,
    values: [taskId, at],
  });
  return rows.map(toTask)[0];
}

/** Those of the tasks that have ended, with a lock. */
export async function lockEndedTasks(tx: Tx, taskIds: readonly string[]): Promise<readonly Task[]> {
  const { rows } = await tx.query<TaskRow>(
    `select ${COLUMNS} from tasks where id = any($1) and ended_at is not null order by id
     for update`,
    [taskIds],
  );
  return rows.map(toTask);
}

/** Tasks, newest first. */
export async function listTasks(
  tx: Tx,
  filter: TaskFilter,
  { size, after }: Page,
): Promise<readonly Task[]> {
  const values: unknown[] = [];
  const where: string[] = [];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  if (filter.states.length > 0) add((p) => `state = any(${p}::text[])`, filter.states);
  if (filter.requester !== "") add((p) => `requester = ${p}`, filter.requester);
  if (filter.winner !== "") add((p) => `winner = ${p} and state <> 'AWARDING'`, filter.winner);
  if (filter.capability !== "") add((p) => `${p} = any(capabilities)`, filter.capability);
  if (after !== undefined) {
    values.push(after.createTime, after.taskId);
    where.push(`(created_at, id) < ($${values.length - 1}::timestamptz, $${values.length}::text)`);
  }
  values.push(size);
  const { rows } = await tx.query<TaskRow>(
    `select ${COLUMNS}
     from tasks
     where ${["true", ...where].join(" and ")}
     order by created_at desc, id desc
     limit $${values.length}`,
    values,
  );
  return rows.map(toTask);
}

/** A page of the feed of tasks. States filter in the snapshot only, which is what begins at 0. */
export const readChanges: ReadChanges =
  ({ capabilities, states, requester, winner }) =>
  async (pool, { from, until, after, limit }) => {
    const { rows } = await pool.query<TaskRow & { readonly changed_in: string }>({
      name: "task-changes",
      text: `select ${COLUMNS}, changed_in
        from tasks
        where (changed_in, id) > ($1::xid8, $2::text) and changed_in < $3::xid8
          and ($4::text[] is null or capabilities <@ $4)
          and ($5::text[] is null or state = any($5))
          and ($6::text is null or requester = $6)
          and ($7::text is null or $7 = any(winners))
        order by changed_in, id
        limit $8`,
      values: [
        String(after.changedIn),
        after.id,
        String(until),
        capabilities.length === 0 ? null : capabilities,
        from === 0n ? states : null,
        requester === "" ? null : requester,
        winner === "" ? null : winner,
        limit,
      ],
    });
    return rows.map((row) => {
      return { changedIn: BigInt(row.changed_in), id: row.id, value: toTask(row) };
    });
  };

/** Ids of due tasks, the most overdue first. */
export async function selectDueTasks(tx: Tx, at: Date, limit: number): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>({
    name: "task-due",
    text: "select id from tasks where due_at <= $1 order by due_at, id limit $2",
    values: [at, limit],
  });
  return rows.map((row) => row.id);
}

/** When the next task is due. */
export async function selectNextDueTime(tx: Tx): Promise<Date | undefined> {
  const { rows } = await tx.query<{ due_at: Date | null }>({
    name: "task-next-due",
    text: "select min(due_at) as due_at from tasks where due_at is not null",
  });
  return rows[0]?.due_at ?? undefined;
}

/** Tasks in hand by agent. */
export async function countInHand(
  tx: Tx,
  agentIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (agentIds.length === 0) return new Map();
  const { rows } = await tx.query<{ winner: string; tasks: string }>({
    name: "task-in-hand",
    text: `select winner, count(*) as tasks
      from tasks
      where winner = any($1::text[]) and state in ('AWARDING', 'AWARDED', 'DELIVERED')
      group by winner`,
    values: [agentIds],
  });
  return new Map(rows.map((row) => [row.winner, Number(row.tasks)]));
}

/** Tasks per state that is no end. */
export async function countLive(tx: Tx): Promise<ReadonlyMap<TaskState, number>> {
  const { rows } = await tx.query<{ state: TaskState; tasks: string }>(
    "select state, count(*) as tasks from tasks where ended_at is null group by state",
  );
  return new Map(rows.map((row) => [row.state, Number(row.tasks)]));
}
