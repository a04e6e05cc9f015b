import type { Tx } from "@bourse/postgres";
import type { Summary, SummaryCursor, SummaryKey, SummaryQuery } from "../summary.ts";
import type { TransactionState } from "../transaction.ts";
import { chaptersWithin } from "./chapters.ts";

const STATES: readonly TransactionState[] = ["PENDING", "SETTLED", "CANCELLED", "DISPUTED"];

/**
 * What a key is in SQL. Transactions are first grouped by its part, so that what is done for each of them is
 * little: the account of a side is a number, and the name of a day is looked up for each day.
 */
const KEYS: Readonly<Record<SummaryKey, { readonly part: string; readonly key: string }>> = {
  all: { part: "0", key: "''" },
  provider: { part: "t.provider_account", key: "account.owner" },
  payer: { part: "t.payer_account", key: "account.owner" },
  capability: { part: "t.capability", key: "part" },
  day: { part: "width_bucket(t.created_at, $5::timestamptz[])", key: "calendar.names[part]" },
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
  const isSide = key === "payer" || key === "provider";
  const ofAccount = (id: string) => `join accounts account on account.id = ${id}`;
  const counts = STATES.map(
    (state) =>
      `coalesce(sum(transactions) filter (where state = '${state}'), 0) as "count_${state}",
       coalesce(sum(amount) filter (where state = '${state}'), 0) as "amount_${state}"`,
  );
  const ofParty =
    party === undefined
      ? "$4::text is null"
      : `(t.chapter, t.${party.role}_account) in (
           select c.number, a.id
           from ${chaptersWithin("$1::timestamptz", "$2::timestamptz")} c, accounts a
           where a.owner = $4
         )`;
  const { rows } = await tx.query<SummaryRow>(
    `with parts as (
       select ${KEYS[key].part} as part, ${isSide ? "''" : "account.currency"} as currency, t.state,
         count(*) as transactions, sum(t.amount) as amount, sum(t.settled) as settled,
         count(t.settled_at) as timed, count(*) filter (where t.disputed) as disputed,
         sum((date_part('epoch', t.settled_at - t.created_at) * 1000)::bigint) as settle_ms
       from transactions t ${isSide ? "" : ofAccount("t.provider_account")}
       where t.created_at >= $1 and t.created_at < $2
         and ($3::text is null or t.capability = $3)
         and ${ofParty}
       group by 1, 2, 3
     ), sums as (
       select ${KEYS[key].key} as key, ${isSide ? "account" : "parts"}.currency, ${counts.join(", ")},
         sum(settled) as revenue, (sum(settle_ms) / nullif(sum(timed), 0))::float8 as mean_settle_ms,
         sum(disputed) as disputed
       from parts ${isSide ? ofAccount("part") : ""}
       cross join (select $5::timestamptz[] as begins, $6::text[] as names) as calendar
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
