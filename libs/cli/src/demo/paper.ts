import type { Task } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import {
  accuracyPpm,
  creditsMicros,
  fromPpm,
  nextCalibrationPpm,
  PPM,
  toPpm,
} from "@bourse/scoring";
import { create } from "@bufbuild/protobuf";
import { Failure } from "../failure.ts";
import { simulate } from "./chance.ts";
import { asDuration, type DemoAgent } from "./files.ts";
import { creditsOf, fundsOf, offerOf, services } from "./players.ts";
import { readAuction, readBids, readStanding } from "./read.ts";
import type {
  AuctionOpened,
  AwardMade,
  BidsTaken,
  ExecutionDone,
  Funds,
  MarketCheck,
  Settlement,
  Standing,
} from "./report.ts";
import type { Stage } from "./stage.ts";

/** The phases of a demo on paper: the same questions to the same market, and nothing is changed. */

/** Everything that a phase could leave behind, in figures. */
export async function tracesOf({ operator }: Stage): Promise<string> {
  const books = await operator.ledger.verify({});
  const chain = await operator.lineage.verifyChain({});
  const { totalAgents } = await operator.registry.summarizeCapabilities({});
  const { tasks } = await operator.auction.listTasks({ pageSize: 1 });
  const figures = [books.accounts, books.movements, books.transactions, chain.entries, totalAgents];
  return [...figures, tasks[0]?.taskId ?? ""].join(" ");
}

/** Phase 1: would the agents be registered? */
export async function checkMarket(stage: Stage): Promise<MarketCheck> {
  const { operator, task } = stage;
  const agents = await Promise.all(
    stage.agents.map(async ({ agentId, profile }) => {
      const request = { agentId, profile, replaceExisting: true, validateOnly: true };
      return (await operator.registry.registerAgent(request)).agent;
    }),
  );
  const { available_micros } = await fundsOf(stage, task.requester);
  const paper = BigInt(available_micros) < task.budgetMicros ? task.budgetMicros : available_micros;
  return {
    services: services(stage),
    agents: agents.map((agent) => ({
      agent_id: agent?.agentId ?? "",
      capabilities: agent?.profile?.capabilities ?? [],
      success_rate: agent?.profile?.sla?.successRate ?? 0.95,
      completed_tasks: Number(agent?.reputation?.completedTasks ?? 0n),
      calibration: agent?.reputation?.calibration ?? 1,
      eligible: agent?.profile?.capabilities.includes(task.capability) ?? false,
    })),
    earlier_tasks: 0,
    requester: task.requester,
    available_micros: String(paper),
    currency: task.currency,
  };
}

/** Phase 2: would the task be taken? */
export async function openAuction(stage: Stage): Promise<AuctionOpened> {
  const { requester, spec } = stage.task;
  const connection = await stage.as(requester);
  const { task } = await connection.auction.postTask({ requester, spec, validateOnly: true });
  return readAuction(task as Task);
}

/** Phases 3 and 4: which bids would stand, and which would win? */
export async function simulateAuction(
  stage: Stage,
): Promise<{ readonly bids: BidsTaken; readonly award: AwardMade | undefined }> {
  const { task } = stage;
  const able = stage.agents.filter(({ profile }) =>
    profile.capabilities?.includes(task.capability),
  );
  const { missingAgentIds } = await stage.operator.registry.batchGetAgents({
    agentIds: able.map(({ agentId }) => agentId),
  });
  const requester = await stage.as(task.requester);
  const { ranking, refusals, price, marginMicros } = await requester.auction.simulateAuction({
    requester: task.requester,
    spec: task.spec,
    bids: able.map((agent) => ({
      agentId: agent.agentId,
      terms: termsOf(stage, agent),
      ...(missingAgentIds.includes(agent.agentId) && {
        profile: create(AgentProfileSchema, agent.profile),
      }),
    })),
  });
  const declined = stage.agents
    .filter((agent) => !able.includes(agent))
    .map(({ agentId }) => ({ agent_id: agentId, reason: `does not do ${task.capability}` }));
  const bids = readBids(ranking, refusals, declined);
  const [best] = bids.ranking;
  if (best === undefined || price === undefined) return { bids, award: undefined };
  const budget = String(task.budgetMicros);
  const before: Funds = { posted_micros: budget, held_micros: "0", available_micros: budget };
  const award: AwardMade = {
    winner: best.agent_id,
    price_micros: String(price.micros),
    margin_micros: String(marginMicros),
    epoch: "1",
    transaction_id: "",
    transaction_state: "PENDING",
    requester_before: before,
    requester_after: {
      posted_micros: budget,
      held_micros: String(price.micros),
      available_micros: String(task.budgetMicros - price.micros),
    },
  };
  return { bids, award };
}

/** How the winner would stand before. */
export async function standingOf(stage: Stage, agentId: string): Promise<Standing> {
  const { agents } = await stage.operator.registry.batchGetAgents({ agentIds: [agentId] });
  const credits = await creditsOf(stage, agentId);
  return readStanding(agents[0]?.reputation, credits, stage.task.capability);
}

/** Phase 5: how would the work go? */
export function execute(stage: Stage, { winner }: AwardMade): ExecutionDone {
  const agent = stage.agents.find(({ agentId }) => agentId === winner) as DemoAgent;
  const { latencyMs } = offerOf(stage.task, agent);
  const { success, actualMs } = simulate(latencyMs, stage.random);
  return {
    success,
    estimated_seconds: Number(latencyMs) / 1000,
    actual_seconds: Number(actualMs) / 1000,
  };
}

/**
 * Phase 6: what would follow?
 * @throws Failure when the market is not as it was
 */
export async function settle(
  stage: Stage,
  given: {
    readonly award: AwardMade;
    readonly execution: ExecutionDone;
    readonly before: Standing;
    readonly earlierTraces: string;
  },
): Promise<Settlement> {
  const { award, execution, before } = given;
  const { success, estimated_seconds, actual_seconds } = execution;
  const estimatedLatencyMs = BigInt(Math.round(estimated_seconds * 1000));
  const actualLatencyMs = BigInt(Math.round(actual_seconds * 1000));
  const earned = creditsMicros({
    success,
    bidMicros: BigInt(award.price_micros),
    estimatedLatencyMs,
    actualLatencyMs,
  });
  const completed = before.completed_tasks + (success ? 1 : 0);
  const failed = before.failed_tasks + (success ? 0 : 1);
  const calibration = nextCalibrationPpm({
    oldPpm: toPpm(before.calibration),
    latencyAccuracyPpm: accuracyPpm(actualLatencyMs, estimatedLatencyMs),
    successRatePpm: (PPM * BigInt(completed)) / BigInt(completed + failed),
  });
  const books = await stage.operator.ledger.verify({});
  const chain = await stage.operator.lineage.verifyChain({});
  if ((await tracesOf(stage)) !== given.earlierTraces) {
    throw new Failure("the dry run left traces in the market");
  }
  return {
    task_state: success ? "SUCCEEDED" : "FAILED",
    end_reason: success ? "ACCEPTED" : "REJECTED",
    transaction_state: success ? "SETTLED" : "CANCELLED",
    paid_micros: success ? award.price_micros : "0",
    movements: [],
    credits_earned_micros: String(earned),
    before,
    after: {
      ...before,
      credits_micros: String(BigInt(before.credits_micros) + earned),
      calibration: fromPpm(calibration),
      score: Math.min(5, Math.max(0, before.score + (success ? 1 : -1))),
      completed_tasks: completed,
      failed_tasks: failed,
    },
    lineage: [],
    books_hold: books.ok,
    chain_holds: chain.ok,
  };
}

function termsOf(stage: Stage, agent: DemoAgent) {
  const offer = offerOf(stage.task, agent);
  return {
    price: { micros: offer.priceMicros, currencyCode: stage.task.currency },
    latency: asDuration(offer.latencyMs),
    successRate: offer.successRate,
  };
}
