import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { StateSum } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import {
  PartyRole,
  SummaryKey,
  type TransactionSummary,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { formatMoney } from "@bourse/scoring";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { newTable } from "../table.ts";
import { openMarket, tellingRefusals } from "./connection.ts";
import { type FilterOptions, filterOf } from "./filter.ts";

interface SummaryOptions extends Omit<FilterOptions, "state"> {
  readonly data: string;
  readonly by?: keyof typeof KEYS;
  readonly zone?: string;
  readonly json?: boolean;
}

const KEYS = {
  provider: SummaryKey.PROVIDER,
  payer: SummaryKey.PAYER,
  capability: SummaryKey.CAPABILITY,
  day: SummaryKey.DAY,
} as const;

/** What to sum up by, as an option. */
export const SUMMARY_KEYS = Object.keys(KEYS);

/** `bourse ledger summary`: what was earned, what is pending and what is disputed. */
export async function summarize(options: SummaryOptions): Promise<void> {
  const { data, by, zone = "", json } = options;
  await using market = await openMarket(data);
  await tellingRefusals(async () => {
    const { state, ...filter } = filterOf(options);
    const { agentId, role } = filter;
    const request = {
      ...filter,
      // Without a side, an agent asks what it earned.
      role: agentId !== "" && role === PartyRole.UNSPECIFIED ? PartyRole.PROVIDER : role,
      key: by === undefined ? SummaryKey.UNSPECIFIED : KEYS[by],
      timeZone: zone,
      pageSize: 1_000,
    };
    const summaries: TransactionSummary[] = [];
    for (let pageToken = ""; ; ) {
      const page = await market.ledger.summarizeTransactions({ ...request, pageToken });
      summaries.push(...page.summaries);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    console.log(json ? jsonOf(summaries) : tableOf(by ?? "", summaries));
  });
}

function jsonOf(summaries: readonly TransactionSummary[]): string {
  const rows = summaries.map((summary) => ({
    key: summary.key,
    currency: summary.currencyCode,
    revenue_micros: summary.revenueMicros,
    ...Object.fromEntries(
      STATES.map(([name, state]) => {
        const { transactions = 0n, amountMicros = "0" } = sumOf(summary, state) ?? {};
        return [name, { transactions: Number(transactions), amount_micros: amountMicros }];
      }),
    ),
    mean_settle_seconds: secondsOf(summary.meanSettleTime),
    disputes_opened: Number(summary.disputesOpened),
    disputes_open: Number(summary.disputesOpen),
  }));
  return JSON.stringify(rows, undefined, 2);
}

function tableOf(by: string, summaries: readonly TransactionSummary[]): string {
  const table = newTable([
    by || "all",
    "currency",
    "revenue",
    ...STATES.map(([name]) => name),
    "mean time to settle",
    "disputes (open)",
  ]);
  for (const summary of summaries) {
    const currency = summary.currencyCode;
    table.push([
      summary.key,
      currency,
      formatMoney(BigInt(summary.revenueMicros), currency),
      ...STATES.map(([, state]) => cellOf(sumOf(summary, state), currency)),
      summary.meanSettleTime === undefined ? "-" : `${secondsOf(summary.meanSettleTime)} s`,
      `${summary.disputesOpened} (${summary.disputesOpen})`,
    ]);
  }
  return table.toString();
}

const STATES = [
  ["pending", TransactionState.PENDING],
  ["settled", TransactionState.SETTLED],
  ["cancelled", TransactionState.CANCELLED],
  ["disputed", TransactionState.DISPUTED],
] as const;

function sumOf(summary: TransactionSummary, state: TransactionState): StateSum | undefined {
  return summary.states.find((sum) => sum.state === state);
}

function cellOf(sum: StateSum | undefined, currency: string): string {
  if (sum === undefined) return "-";
  return `${sum.transactions} of ${formatMoney(BigInt(sum.amountMicros), currency)}`;
}

function secondsOf(duration: Duration | undefined): number | null {
  return duration === undefined ? null : durationMs(duration) / 1_000;
}
