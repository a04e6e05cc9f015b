import { LeaderboardView } from "@bourse/proto/bourse/registry/v1/evidence_pb.ts";
import { ListLeaderboardResponseSchema } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { toJson } from "@bufbuild/protobuf";
import { Failure } from "../failure.ts";
import { openMarket, tellingRefusals } from "../ledger/connection.ts";
import { newTable } from "../table.ts";

/** What to rank by, as `--by` names it. */
export const VIEWS = {
  reliability: LeaderboardView.RELIABILITY,
  score: LeaderboardView.SCORE,
  calibration: LeaderboardView.CALIBRATION,
  multiplier: LeaderboardView.MULTIPLIER,
} as const;

interface LeaderboardOptions {
  readonly data: string;
  readonly by: keyof typeof VIEWS;
  readonly limit: string;
  readonly json?: boolean;
}

/** JSON names fields as the contract does, and shows also what is 0. */
export const PLAIN = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;

/** `bourse leaderboard`: the best agents of a market. */
export async function leaderboard(
  capability: string | undefined,
  { data, by, limit, json }: LeaderboardOptions,
): Promise<void> {
  const request = { view: VIEWS[by], capability: capability ?? "", pageSize: countOf(limit) };
  await using market = await openMarket(data);
  await tellingRefusals(async () => {
    const board = await market.registry.listLeaderboard(request);
    if (json) {
      console.log(
        JSON.stringify(toJson(ListLeaderboardResponseSchema, board, PLAIN), undefined, 2),
      );
      return;
    }
    if (board.entries.length === 0) {
      console.log("nobody has a record here yet: it comes from tasks that were settled");
      return;
    }
    const table = newTable(["", "agent", by, "score", "calibration", "multiplier", "tasks"]);
    for (const { rank, agentId, value, reputation } of board.entries) {
      const { score = 0, calibration = 0, multiplier = 0 } = reputation ?? {};
      const tasks = (reputation?.completedTasks ?? 0n) + (reputation?.failedTasks ?? 0n);
      const views = [value, score, calibration, multiplier].map((figure) => figure.toFixed(3));
      table.push([String(rank), agentId, ...views, String(tasks)]);
    }
    console.log(table.toString());
  });
}

/** How many rows an option asks for. @throws Failure */
export function countOf(limit: string): number {
  const count = Number(limit);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw new Failure(`--limit takes a whole number from 1 to 1000, not ${limit}`);
}
