import { randomUUID } from "node:crypto";
import { AwardPolicy } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { asDuration, type DemoAgent, type EarlierWork } from "./files.ts";
import { type Stage, until } from "./stage.ts";

/**
 * Lets the agents that never worked here do their earlier tasks, through the same RPCs as any
 * other, so that they have a calibration to bid with. Returns how many tasks that were.
 */
export async function playEarlierWork(stage: Stage): Promise<number> {
  let played = 0;
  for (const agent of stage.agents) {
    const { agent: known } = await stage.operator.registry.getAgent({ agentId: agent.agentId });
    const { completedTasks = 0n, failedTasks = 0n } = known?.reputation ?? {};
    if (completedTasks + failedTasks > 0n) continue;
    for (const [index, work] of agent.earlier.entries()) {
      await playOne(stage, agent, work, index);
      played += 1;
    }
  }
  return played;
}

async function playOne(stage: Stage, agent: DemoAgent, work: EarlierWork, index: number) {
  const { task, operator } = stage;
  const requester = await stage.as(task.requester);
  const bidder = await stage.as(agent.agentId);
  const price = { micros: work.priceMicros, currencyCode: task.currency };
  const { task: posted } = await requester.auction.postTask({
    requestId: randomUUID(),
    requester: task.requester,
    spec: {
      taskType: "earlier_work",
      requirements: {
        capabilities: [task.capability],
        maxLatency: asDuration(work.estimatedMs),
        minSuccessRate: 0,
        maxCost: price,
      },
      awardPolicy: AwardPolicy.FIRST_QUALIFIED,
    },
  });
  const taskId = posted?.taskId ?? "";
  await bidder.auction.submitBid({
    requestId: randomUUID(),
    taskId,
    agentId: agent.agentId,
    terms: { price, latency: asDuration(work.estimatedMs), successRate: 0.95 },
  });
  await requester.auction.completeTask({
    taskId,
    success: work.success,
    actualLatency: asDuration(work.actualMs),
  });
  await until(
    () => operator.registry.getAgent({ agentId: agent.agentId }),
    ({ agent: now }) => {
      const { completedTasks = 0n, failedTasks = 0n } = now?.reputation ?? {};
      return completedTasks + failedTasks > BigInt(index);
    },
    `${agent.agentId}'s earlier work counted`,
  );
}
