import type { Tx } from "@bourse/postgres";
import type { Summary, SummaryCursor, SummaryKey, SummaryQuery } from "../summary.ts";
import type { TransactionState } from "../transaction.ts";

const STATES: readonly TransactionState[] = ["PENDING", "SETTLED", "CANCELLED", "DISPUTED"];

/** What a key is in SQL; `account` is that of the side that is summed up by. */
const KEYS: Readonly<Record<SummaryKey, string>> = {
  all: "''",
  provider: "account.owner",
  payer: "account.owner",
  capability: "t.capability",
  day: "calendar.names[width_bucket(t.created_at, calendar.begins)]",
};

type SummaryRow = {
  readonly key: string;
  readonly currency: string;
  readonly revenue: string;
  readonly mean_settle_ms: number | null;
  readonly disputed: string;
} & Readonly<Record<`${"count" | "amount"}_${TransactionState}`, string>>;

/**
 * A page of sums by key and currency. It reads all transactions of the range, through the index of
 * all by time or of an account's, whatever the page.
 */
export async function summarize(
  tx: Tx,
  query: SummaryQuery,
  after: SummaryCursor | undefined,
  limit: number,
): Promise<readonly Summary[]> {
  const { key, party, capability, from, until, days } = query;
  const side = key === "payer" ? "payer" : "provider";
  const counts = STATES.map(
    (state) =>
      `count(*) filter (where t.state = '${state}') as "count_${state}",
       coalesce(sum(t.amount) filter (where t.state = '${state}'), 0) as "amount_${state}"`,
  );
  const ofParty =
    party === undefined
      ? "$4::text is null"
      : `t.${party.role}_account in (select id from accounts where owner = $4)`;
  const { rows } = await tx.query<SummaryRow>(
    `with sums as (
       select ${KEYS[key]} as key, account.currency, ${counts.join(", ")},
         sum(t.settled) as revenue,
         avg(extract(epoch from t.settled_at - t.created_at) * 1000)::float8 as mean_settle_ms,
         count(*) filter (where t.disputed) as disputed
       from transactions t
       join accounts account on account.id = t.${side}_account
       cross join (select $5::timestamptz[] as begins, $6::text[] as names) as calendar
       where t.created_at >= $1 and t.created_at < $2
         and ($3::text is null or t.capability = $3)
         and ${ofParty}
       group by 1, 2
     )
     select * from sums
     where $7::text is null or (key, currency) > ($7, $8)
     order by key, currency
     limit $9`,
    [
      from,
      until,
      capability ?? null,
      party?.agent ?? null,
      days.map((day) => day.from.toISOString()),
      days.map(({ name }) => name),
      after?.key ?? null,
      after?.currency ?? null,
      limit,
    ],
  );
  return rows.map(toSummary);
}

function toSummary(row: SummaryRow): Summary {
  const states = STATES.map((state) => ({
    state,
    transactions: BigInt(row[`count_${state}`]),
    amount: BigInt(row[`amount_${state}`]),
  }));
  return {
    key: row.key,
    currency: row.currency,
    states: states.filter(({ transactions }) => transactions > 0n),
    revenue: BigInt(row.revenue),
    meanSettleMs: row.mean_settle_ms ?? undefined,
    disputesOpened: BigInt(row.disputed),
    disputesOpen: BigInt(row.count_DISPUTED),
  };
}
