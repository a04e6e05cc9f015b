import { randomUUID } from "node:crypto";
import { type Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Bidding, Desk } from "./agent.ts";
import { createBell } from "./attendance.ts";
import { followTasks } from "./follow.ts";

/** So many tasks are considered at once; the stream waits, so that a market of any size fits into memory. */
const AT_ONCE = 256;

/** Bids on the open tasks that the agent is able to do, each once, until the agent stops. */
export async function bidOnTasks(desk: Desk, bid: Bidding): Promise<void> {
  const { profile, agentId } = desk;
  const considered = new Set<string>();
  const bell = createBell();
  let open = 0;
  const filter = { capabilities: profile.capabilities ?? [] };
  for await (const task of followTasks(desk.market, filter, retrying(desk))) {
    if (task.state !== TaskState.OPEN) {
      considered.delete(task.taskId);
      continue;
    }
    const own = task.requester === agentId || task.spec?.evaluator === agentId;
    if (own || considered.has(task.taskId)) continue;
    considered.add(task.taskId);
    open += 1;
    void consider(desk, bid, task).finally(() => {
      open -= 1;
      bell.ring();
    });
    while (open >= AT_ONCE && !desk.signal.aborted) await bell.heard(LOOK_MS, desk.signal);
  }
}

const LOOK_MS = 60_000;

/** Decides on a task; whatever goes wrong concerns this task only. */
async function consider(desk: Desk, bid: Bidding, task: Task): Promise<void> {
  const { market, agentId, signal, tell } = desk;
  const { taskId } = task;
  try {
    const decision = await bid(task);
    if (decision === undefined || signal.aborted) return;
    if ("decline" in decision) {
      const reason = decision.decline;
      const request = { taskId, agentId, reason };
      await desk.insist(() => market.auction.declineToBid(request, { signal }));
      tell({ kind: "declined", task, reason });
      return;
    }
    // Named here, so that all attempts are one bid.
    const request = { requestId: randomUUID(), taskId, agentId, terms: decision };
    const made = await desk.insist(() => market.auction.submitBid(request, { signal }));
    tell({ kind: "bid", task, bid: made.bid });
  } catch (error) {
    if (!signal.aborted) tell({ kind: "failed", task, error });
  }
}

/** How the agent tries again, and tells of it. */
export function retrying({ signal, random, tell }: Desk) {
  const onRetry = (error: unknown): void => tell({ kind: "disconnected", error });
  return { signal, random, onRetry };
}
