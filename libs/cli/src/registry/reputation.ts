import { EvidenceStanding } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import {
  type ExplainReputationResponse,
  ExplainReputationResponseSchema,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { openMarket, tellingRefusals } from "../ledger/connection.ts";
import { newTable } from "../table.ts";
import { countOf, PLAIN } from "./leaderboard.ts";

interface ReputationOptions {
  readonly data: string;
  readonly capability?: string;
  readonly limit: string;
  readonly json?: boolean;
}

/** `bourse reputation`: how an agent has done, and how that is known. */
export async function explainReputation(
  agentId: string,
  { data, capability = "", limit, json }: ReputationOptions,
): Promise<void> {
  const request = { agentId, capability, pageSize: countOf(limit) };
  await using market = await openMarket(data);
  await tellingRefusals(async () => {
    const explained = await market.registry.explainReputation(request);
    console.log(
      json
        ? JSON.stringify(toJson(ExplainReputationResponseSchema, explained, PLAIN), undefined, 2)
        : textOf(explained),
    );
  });
}

const STANDINGS: Partial<Record<EvidenceStanding, string>> = {
  [EvidenceStanding.COUNTED]: "in full",
  [EvidenceStanding.PAIR_CAPPED]: "in part: its requester told more",
  [EvidenceStanding.SELF_DEALING]: "not: it had ordered the work itself",
};

function textOf({ reputation, evidence }: ExplainReputationResponse): string {
  const { score = 0, calibration = 0, multiplier = 0, reliabilities = [] } = reputation ?? {};
  const { completedTasks = 0n, failedTasks = 0n } = reputation ?? {};
  const sure = newTable(["capability", "reliability", "from", "to", "evidence"]);
  for (const { capability, mean, lowerBound, upperBound, evidence: weight } of reliabilities) {
    sure.push([capability, ...[mean, lowerBound, upperBound, weight].map((one) => one.toFixed(3))]);
  }
  const tasks = newTable(["ended", "task", "requester", "capability", "success", "counts", ""]);
  for (const one of evidence) {
    const ended = one.endTime === undefined ? "" : timestampDate(one.endTime).toISOString();
    const success = one.success ? "yes" : "no";
    const counts = [one.countedWeight.toFixed(3), STANDINGS[one.standing] ?? ""];
    tasks.push([ended, one.outcomeId, one.requesterId, one.capability, success, ...counts]);
  }
  return [
    `score ${score.toFixed(3)}, calibration ${calibration.toFixed(3)}, multiplier ${multiplier}`,
    `${completedTasks} tasks succeeded, ${failedTasks} failed`,
    sure.toString(),
    tasks.toString(),
  ].join("\n");
}
