import { randomUUID } from "node:crypto";
import {
  AwardPolicy,
  EndReasonSchema,
  type Task,
  TaskStateSchema,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import {
  MovementKindSchema,
  TransactionState,
  TransactionStateSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { simulate } from "./chance.ts";
import { playEarlierWork } from "./earlier.ts";
import { asDuration, type DemoAgent, type DemoBid } from "./files.ts";
import { creditsOf, fundsOf, offerOf, services } from "./players.ts";
import { nameOf, readAuction, readBids, readStanding } from "./read.ts";
import type {
  AuctionOpened,
  AwardMade,
  BidsTaken,
  ExecutionDone,
  MarketCheck,
  Settlement,
  Standing,
} from "./report.ts";
import { type Stage, until } from "./stage.ts";

/** Phase 1: the market is there, the agents are registered, the requester has money. */
export async function checkMarket(stage: Stage): Promise<MarketCheck> {
  const { operator, task } = stage;
  for (const { agentId, profile } of stage.agents) {
    const request = { requestId: randomUUID(), agentId, profile, replaceExisting: true };
    await operator.registry.registerAgent(request);
  }
  const funds = await fundsOf(stage, task.requester);
  const missing = task.budgetMicros - BigInt(funds.available_micros);
  if (missing > 0n) {
    await operator.ledger.deposit({
      depositId: `demo-${randomUUID()}`,
      owner: task.requester,
      amount: { micros: missing, currencyCode: task.currency },
    });
  }
  const earlier = await playEarlierWork(stage);
  const { agents, missingAgentIds } = await operator.registry.batchGetAgents({
    agentIds: stage.agents.map(({ agentId }) => agentId),
  });
  if (missingAgentIds.length > 0) throw new Error(`not registered: ${missingAgentIds.join()}`);
  return {
    services: services(stage),
    agents: agents.map(({ agentId, profile, reputation }) => ({
      agent_id: agentId,
      capabilities: profile?.capabilities ?? [],
      success_rate: profile?.sla?.successRate ?? 0.95,
      completed_tasks: Number(reputation?.completedTasks ?? 0n),
      calibration: reputation?.calibration ?? 1,
      eligible: profile?.capabilities.includes(task.capability) ?? false,
    })),
    earlier_tasks: earlier,
    requester: task.requester,
    available_micros: (await fundsOf(stage, task.requester)).available_micros,
    currency: task.currency,
  };
}

/** Phase 2: the task is put up for auction. */
export async function openAuction(stage: Stage): Promise<AuctionOpened> {
  const requester = await stage.as(stage.task.requester);
  const { task } = await requester.auction.postTask({
    requestId: randomUUID(),
    requester: stage.task.requester,
    spec: { ...stage.task.spec, awardPolicy: AwardPolicy.MANUAL },
  });
  return readAuction(task as Task);
}

/** Phase 3: the agents that can do it bid; those that may not are told why. */
export async function collectBids(stage: Stage, taskId: string): Promise<BidsTaken> {
  for (const agent of stage.agents) {
    const connection = await stage.as(agent.agentId);
    if (!agent.profile.capabilities?.includes(stage.task.capability)) {
      const reason = `does not do ${stage.task.capability}`;
      await connection.auction.declineToBid({ taskId, agentId: agent.agentId, reason });
      continue;
    }
    await submit(stage, agent, offerOf(stage.task, agent), taskId);
  }
  const requester = await stage.as(stage.task.requester);
  const { ranking, refusals, declines } = await requester.auction.explainAward({ taskId });
  const declined = declines.map(({ agentId, reason }) => ({ agent_id: agentId, reason }));
  return readBids(ranking, refusals, declined);
}

async function submit(stage: Stage, agent: DemoAgent, offer: DemoBid, taskId: string) {
  const { auction } = await stage.as(agent.agentId);
  try {
    await auction.submitBid({
      requestId: randomUUID(),
      taskId,
      agentId: agent.agentId,
      terms: {
        price: { micros: offer.priceMicros, currencyCode: stage.task.currency },
        latency: asDuration(offer.latencyMs),
        successRate: offer.successRate,
      },
    });
  } catch (error) {
    // A refusal is part of the story: ExplainAward tells its reasons.
    if (reasonOf(error) === undefined || reasonOf(error) === "INTERNAL") throw error;
  }
}

/** Phase 4: the best bid wins, and its price is held. */
export async function award(stage: Stage, taskId: string): Promise<AwardMade> {
  const requester = await stage.as(stage.task.requester);
  const before = await fundsOf(stage, stage.task.requester);
  const { task } = await requester.auction.awardTask({ taskId });
  const { marginMicros } = await requester.auction.explainAward({ taskId });
  const made = task?.award;
  if (made === undefined) throw new Error(`${taskId} has no award`);
  const { transaction } = await requester.ledger.getTransaction({
    transactionId: made.transactionId,
  });
  return {
    winner: made.agentId,
    price_micros: String(made.price?.micros ?? 0n),
    margin_micros: String(marginMicros),
    epoch: String(made.epoch),
    transaction_id: made.transactionId,
    transaction_state: nameOf(TransactionStateSchema, transaction?.state),
    requester_before: before,
    requester_after: await fundsOf(stage, stage.task.requester),
  };
}

/** Phase 5: the work is simulated; the winner delivers and the requester reports how it went. */
export async function execute(
  stage: Stage,
  taskId: string,
  { winner, epoch }: AwardMade,
): Promise<ExecutionDone> {
  const agent = stage.agents.find(({ agentId }) => agentId === winner) as DemoAgent;
  const { latencyMs } = offerOf(stage.task, agent);
  const { success, actualMs } = simulate(latencyMs, stage.random);
  const worker = await stage.as(winner);
  await worker.auction.submitResult({
    taskId,
    agentId: winner,
    awardEpoch: BigInt(epoch),
    result: { output: { image: "simulated", complete: success } },
  });
  const requester = await stage.as(stage.task.requester);
  await requester.auction.completeTask({
    taskId,
    success,
    actualLatency: asDuration(actualMs),
    evaluation: success ? "as ordered" : "the image does not boot",
  });
  return {
    success,
    estimated_seconds: Number(latencyMs) / 1000,
    actual_seconds: Number(actualMs) / 1000,
  };
}

/** How the winner stands; taken before the execution and after the settlement. */
export async function standingOf(stage: Stage, agentId: string): Promise<Standing> {
  const { agent } = await stage.operator.registry.getAgent({ agentId });
  return readStanding(agent?.reputation, await creditsOf(stage, agentId), stage.task.capability);
}

/** Phase 6: money, credits and reputation follow what happened, and the record of it holds. */
export async function settle(
  stage: Stage,
  taskId: string,
  made: AwardMade,
  before: Standing,
): Promise<Settlement> {
  const { operator } = stage;
  const tasksOf = (standing: Standing) => standing.completed_tasks + standing.failed_tasks;
  const after = await until(
    () => standingOf(stage, made.winner),
    (now) => tasksOf(now) > tasksOf(before) && now.credits_micros !== before.credits_micros,
    "credits and reputation followed",
  );
  const { transaction, movements } = await until(
    () => operator.ledger.getTransaction({ transactionId: made.transaction_id }),
    (answer) => answer.transaction?.state !== TransactionState.PENDING,
    "the transaction was settled or cancelled",
  );
  const { events } = await until(
    () => operator.lineage.queryEvents({ taskId }),
    (answer) => answer.events.some(({ type }) => type === "task_completed"),
    "the lineage was complete",
  );
  const { task } = await operator.auction.getTask({ taskId });
  return {
    task_state: nameOf(TaskStateSchema, task?.state),
    end_reason: nameOf(EndReasonSchema, task?.endReason),
    transaction_state: nameOf(TransactionStateSchema, transaction?.state),
    paid_micros: String(transaction?.settledAmount?.micros ?? 0n),
    movements: movements.map(({ kind, debitOwner, creditOwner, amount }) => ({
      kind: nameOf(MovementKindSchema, kind),
      debit: debitOwner,
      credit: creditOwner,
      micros: String(amount?.micros ?? 0n),
    })),
    credits_earned_micros: String(BigInt(after.credits_micros) - BigInt(before.credits_micros)),
    before,
    after,
    lineage: events.map(({ sequence, type, subjects, hash }) => ({
      sequence: String(sequence),
      type,
      subjects,
      hash,
    })),
    books_hold: (await operator.ledger.verify({})).ok,
    chain_holds: (await operator.lineage.verifyChain({})).ok,
  };
}
