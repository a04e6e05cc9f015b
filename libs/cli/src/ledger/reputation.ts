import type { Market } from "@bourse/client";
import { type Transfer, TransferKind } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Failure } from "../failure.ts";
import { type FilterOptions, filterOf } from "./filter.ts";

/** Credits that are read at once. */
const PAGE = 500;

/**
 * The lines of a reputation ledger, oldest first: what each judged piece of work earned an agent,
 * the credits it has with that, and its calibration by then. Totals count from the first credit on,
 * also of those before `--from`.
 */
export async function* reputationLines(
  market: Pick<Market, "ledger" | "registry">,
  options: FilterOptions,
): AsyncGenerator<string, void, undefined> {
  const { role, state, capability } = options;
  if (role !== undefined || state !== undefined || capability !== undefined) {
    throw new Failure("--format reputation takes --agent, --from and --to only");
  }
  const { agentId: owner, startTime, endTime } = filterOf(options);
  const from = startTime === undefined ? 0 : timestampDate(startTime).getTime();
  const totals = new Map<string, bigint>();
  const filter = { owner, kind: TransferKind.CREDIT, ...(endTime !== undefined && { endTime }) };
  for (let pageToken = ""; ; ) {
    const page = await market.ledger.listTransfers({ ...filter, pageSize: PAGE, pageToken });
    const ids = page.transfers.flatMap(({ transferId }) => outcomeOf(transferId) ?? []);
    const { outcomes } =
      ids.length === 0
        ? { outcomes: [] }
        : await market.registry.batchGetOutcomes({ outcomeIds: ids });
    const known = new Map(outcomes.map((outcome) => [outcome.outcomeId, outcome]));
    for (const credit of page.transfers) {
      const change = credit.amount?.micros ?? 0n;
      const total = (totals.get(credit.owner) ?? 0n) + change;
      totals.set(credit.owner, total);
      if (madeAt(credit).getTime() < from) continue;
      const outcome = known.get(outcomeOf(credit.transferId) ?? "");
      const line = {
        timestamp: madeAt(credit).toISOString(),
        agent_id: credit.owner,
        task_id: credit.taskId,
        credits_change: unitsOf(change),
        credits_total: unitsOf(total),
        // Absent until the registry has been told.
        calibration_score: outcome?.calibration ?? null,
        success: outcome?.success ?? change > 0n,
      };
      yield `${JSON.stringify(line)}\n`;
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}

/** The outcome that a credit was posted for: both bear the task and the epoch of its award. */
function outcomeOf(creditId: string): string | undefined {
  const match = /^credits:(.+):(\d+)$/.exec(creditId);
  return match === null ? undefined : `${match[1]}/${match[2]}`;
}

function madeAt({ createTime }: Transfer): Date {
  if (createTime === undefined) throw new TypeError("a transfer has no time");
  return timestampDate(createTime);
}

function unitsOf(micros: bigint): number {
  return Number(micros) / 1_000_000;
}
