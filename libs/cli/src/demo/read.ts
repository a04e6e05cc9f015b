import {
  type Bid,
  PaymentRule,
  PaymentRuleSchema,
  type RefusedBid,
  ScoringPolicy,
  ScoringPolicySchema,
  type Task,
  TaskStateSchema,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Account } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { Reputation } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { Complexity, ComplexitySchema } from "@bourse/proto/bourse/type/v1/outcome_pb.ts";
import type { DescEnum } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { AuctionOpened, BidsTaken, Funds, ScoredBid, Standing } from "./report.ts";

/** Contract messages as a report tells them. */

export function readAuction(task: Task): AuctionOpened {
  const requirements = task.spec?.requirements;
  return {
    task_id: task.taskId,
    task_type: task.spec?.taskType ?? "",
    state: nameOf(TaskStateSchema, task.state),
    capability: requirements?.capabilities.join(" ") ?? "",
    max_cost_micros: String(requirements?.maxCost?.micros ?? 0n),
    max_latency_seconds: seconds(requirements?.maxLatency),
    min_success_rate: requirements?.minSuccessRate ?? 0,
    complexity: nameOf(ComplexitySchema, requirements?.complexity ?? Complexity.UNSPECIFIED),
    scoring_policy: nameOf(ScoringPolicySchema, task.spec?.scoringPolicy || ScoringPolicy.CIVIC_V1),
    payment_rule: nameOf(PaymentRuleSchema, task.spec?.paymentRule || PaymentRule.PAY_AS_BID),
  };
}

export function readBids(
  ranking: readonly Bid[],
  refusals: readonly RefusedBid[],
  declined: BidsTaken["declined"],
): BidsTaken {
  return {
    ranking: ranking.map(readBid),
    refused: refusals.map(({ agentId, faults }) => ({
      agent_id: agentId,
      faults: faults.map(({ reason, description }) => ({ reason, description })),
    })),
    declined,
  };
}

function readBid(bid: Bid): ScoredBid {
  return {
    agent_id: bid.agentId,
    price_micros: String(bid.terms?.price?.micros ?? 0n),
    latency_seconds: seconds(bid.terms?.latency),
    success_rate: bid.terms?.successRate ?? 0,
    calibration: bid.calibration,
    score_micros: String(bid.scoreMicros),
    score_parts: bid.scoreParts.map(({ name, micros }) => ({ name, micros: String(micros) })),
  };
}

export function readFunds(account: Account | undefined): Funds {
  return {
    posted_micros: String(account?.postedMicros ?? 0n),
    held_micros: String(account?.heldMicros ?? 0n),
    available_micros: String(account?.availableMicros ?? 0n),
  };
}

export function readStanding(
  reputation: Reputation | undefined,
  creditsMicros: bigint,
  capability: string,
): Standing {
  const reliability = reputation?.reliabilities.find((one) => one.capability === capability);
  return {
    credits_micros: String(creditsMicros),
    calibration: reputation?.calibration ?? 1,
    score: reputation?.score ?? 0,
    completed_tasks: Number(reputation?.completedTasks ?? 0n),
    failed_tasks: Number(reputation?.failedTasks ?? 0n),
    reliability: reliability?.lowerBound ?? 0,
  };
}

export function seconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : durationMs(duration) / 1000;
}

/** The name of an enum's value, without the prefix of the enum; "" when the contract has no such value. */
export function nameOf(schema: DescEnum, value: number | undefined): string {
  return schema.value[value ?? 0]?.localName ?? "";
}
