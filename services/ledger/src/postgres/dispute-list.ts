import type { Tx } from "@bourse/postgres";
import type { DisputeCursor, DisputeEntry, DisputeFilter } from "../store.ts";
import { DISPUTE_COLUMNS, type DisputeRow, toDispute } from "./disputes.ts";

interface EntryRow extends DisputeRow {
  readonly payer: string;
  readonly provider: string;
  readonly currency: string;
  readonly evidence_count: number;
}

// One at a time, since each has an index and all together have none.
const ROADS_OF_AGENT = [
  "payer_account = any(array(select id from accounts where owner = $1))",
  "provider_account = any(array(select id from accounts where owner = $1))",
  "transaction_id = any(array(select transaction_id from dispute_arbitrators where arbitrator = $1))",
];

/** A page of disputes, newest first, without what was said in them. */
export async function listDisputes(
  tx: Tx,
  filter: DisputeFilter,
  after: DisputeCursor | undefined,
  limit: number,
): Promise<readonly DisputeEntry[]> {
  const roads = filter.agent === undefined ? ["$1::text is null"] : ROADS_OF_AGENT;
  const pages = roads.map(
    (road) => `(
      select transaction_id, flagged_at from disputes
      where ${road}
        and ($2::boolean is null or (due_at is not null) = $2)
        and ($3::timestamptz is null or due_at < $3)
        and ($4::timestamptz is null or flagged_at <= $4)
        and ($4::timestamptz is null or (flagged_at, transaction_id) < ($4, $5::uuid))
      order by flagged_at desc, transaction_id desc
      limit $6
    )`,
  );
  const { rows } = await tx.query<EntryRow>(
    `with page as (
       select transaction_id from (${pages.join(" union ")}) as roads
       order by flagged_at desc, transaction_id desc
       limit $6
     )
     select ${DISPUTE_COLUMNS}, d.evidence_count, payer.owner as payer,
       provider.owner as provider, payer.currency
     from page
     join disputes d using (transaction_id)
     join accounts payer on payer.id = d.payer_account
     join accounts provider on provider.id = d.provider_account
     order by d.flagged_at desc, d.transaction_id desc`,
    [
      filter.agent ?? null,
      filter.isOpen ?? null,
      filter.dueBefore ?? null,
      after?.flaggedAt ?? null,
      after?.transactionId ?? null,
      limit,
    ],
  );
  return rows.map((row) => ({
    ...toDispute(row),
    transactionId: row.transaction_id,
    payer: row.payer,
    provider: row.provider,
    currency: row.currency,
    evidenceCount: row.evidence_count,
  }));
}

/** The ids of open transactions for which a rule is due at `now`, longest due first. */
export async function dueTransactions(
  tx: Tx,
  now: Date,
  limit: number,
): Promise<readonly string[]> {
  const { rows } = await tx.query<{ transaction_id: string }>(
    `select transaction_id from (
       (select transaction_id, due_at from holds where due_at <= $1 order by due_at limit $2)
       union all
       (select transaction_id, due_at from disputes where due_at <= $1 order by due_at limit $2)
     ) as due
     order by due_at, transaction_id
     limit $2`,
    [now, limit],
  );
  return rows.map((row) => row.transaction_id);
}
