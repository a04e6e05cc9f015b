import { forgetRequestsOf, type Pool, type Tx, withTransaction } from "@bourse/postgres";
import { type Eraser, eraseFromTask, type Obstacles } from "../erasure.ts";
import type { Task } from "../task.ts";
import { formatDocument } from "./document.ts";
import { lockEndedTasks, winnersOf } from "./tasks.ts";

/** Tasks that one transaction rewrites. */
const SLICE = 500;

/** Makes an eraser; `onErased` hears of every transaction that changed tasks. */
export function createEraser(pool: Pool, onErased: () => void): Eraser {
  return {
    obstacles: (agentId) => selectObstacles(pool, agentId),
    async erase(agentId, alias, signal) {
      const taskIds = await selectTasksOf(pool, agentId);
      for (let start = 0; start < taskIds.length; start += SLICE) {
        const slice = taskIds.slice(start, start + SLICE);
        await withTransaction(pool, (tx) => eraseFromTasks(tx, slice, agentId, alias), { signal });
        onErased();
      }
      await withTransaction(
        pool,
        async (tx) => {
          await tx.query("delete from refusals where agent_id = $1", [agentId]);
          await tx.query("delete from declines where agent_id = $1", [agentId]);
          await forgetRequestsOf(tx, agentId);
        },
        { signal },
      );
    },
  };
}

async function selectObstacles(tx: Tx, agentId: string): Promise<Obstacles> {
  const { rows: live } = await tx.query<{ tasks: string; task_id: string | null }>(
    `select count(*) as tasks, min(id) as task_id
     from tasks
     where ended_at is null
       and (
         requester = $1 or winner = $1 or $1 = any(winners) or spec->>'evaluator' = $1
         or exists (select from bids where task_id = tasks.id and agent_id = $1)
       )`,
    [agentId],
  );
  const { rows: untold } = await tx.query<{ messages: string; parked: string }>(
    `select count(*) as messages, count(parked_at) as parked
     from outbox
     where position($1 in payload::text) > 0`,
    [JSON.stringify(agentId)],
  );
  return {
    liveTasks: Number(live[0]?.tasks ?? 0),
    taskId: live[0]?.task_id ?? undefined,
    messages: Number(untold[0]?.messages ?? 0),
    parked: Number(untold[0]?.parked ?? 0),
  };
}

/** Read once, for no index serves it: agents are erased seldom, and bids come often. */
async function selectTasksOf(tx: Tx, agentId: string): Promise<readonly string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id
     from tasks
     where requester = $1 or winner = $1 or $1 = any(winners) or spec->>'evaluator' = $1
     union
     select task_id from bids where agent_id = $1
     order by id`,
    [agentId],
  );
  return rows.map((row) => row.id);
}

async function eraseFromTasks(
  tx: Tx,
  taskIds: readonly string[],
  agentId: string,
  alias: string,
): Promise<void> {
  await tx.query("set local auction.erasing = 'on'");
  const tasks = (await lockEndedTasks(tx, taskIds)).map((task) =>
    eraseFromTask(task, agentId, alias),
  );
  await writeErased(tx, tasks);
  await tx.query("update bids set agent_id = $3 where agent_id = $2 and task_id = any($1)", [
    tasks.map((task) => task.taskId),
    agentId,
    alias,
  ]);
}

async function writeErased(tx: Tx, tasks: readonly Task[]): Promise<void> {
  // Lists of winners differ in length, so they travel as one text: ids hold no blank.
  await tx.query(
    `update tasks
     set requester = new.requester, spec = new.spec, awards = new.awards, winner = new.winner,
       winners = array_remove(string_to_array(new.winners, ' '), ''), result = new.result,
       evaluation = new.evaluation, changed_in = pg_current_xact_id()
     from unnest($1::text[], $2::text[], $3::json[], $4::json[], $5::text[], $6::text[],
         $7::json[], $8::text[])
       as new (id, requester, spec, awards, winner, winners, result, evaluation)
     where tasks.id = new.id`,
    [
      tasks.map((task) => task.taskId),
      tasks.map((task) => task.requester),
      tasks.map((task) => formatDocument(task.spec)),
      tasks.map((task) => formatDocument(task.awards)),
      tasks.map((task) => task.awards.at(-1)?.agentId ?? null),
      tasks.map((task) => winnersOf(task).join(" ")),
      tasks.map((task) => (task.result === undefined ? null : formatDocument(task.result))),
      tasks.map((task) => task.evaluation),
    ],
  );
}
