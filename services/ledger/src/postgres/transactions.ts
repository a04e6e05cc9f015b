import type { Tx } from "@bourse/postgres";
import { canonicalJson, type JsonObject } from "../canonical.ts";
import type { TransactionCursor, TransactionFilter } from "../store.ts";
import type { Terms, Transaction, TransactionState } from "../transaction.ts";
import { findEvidence } from "./evidence.ts";
import { type Columns, insertRows, updateRows } from "./rows.ts";

interface TermsRow {
  readonly id: string;
  readonly payer: string;
  readonly provider: string;
  readonly capability: string;
  readonly currency: string;
  readonly amount: string;
  readonly context: JsonObject | null;
  readonly recorder: string;
}

interface TransactionRow extends TermsRow {
  readonly state: TransactionState;
  readonly settled: string;
  readonly owed: string;
  readonly hold_id: string | null;
  readonly hold_account: string | null;
  readonly hold_amount: string | null;
  readonly evidence_count: number;
  readonly ruling_share_bps: number | null;
  readonly ruling_reason: string | null;
  readonly ruled_by: string | null;
  readonly ruled_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly settled_at: Date | null;
}

const TERMS = "id, payer, provider, capability, currency, amount, context, recorder";
const SELECTED = `${TERMS}, state, settled, owed, hold_id, hold_account, hold_amount,
  evidence_count, ruling_share_bps, ruling_reason, ruled_by, ruled_at,
  created_at, updated_at, settled_at`;

function toTerms(row: TermsRow): Terms {
  return {
    id: row.id,
    payer: row.payer,
    provider: row.provider,
    capability: row.capability,
    amount: { micros: BigInt(row.amount), currency: row.currency },
    context: row.context ?? undefined,
    recorder: row.recorder,
  };
}

function toTransaction(row: TransactionRow): Transaction {
  return {
    ...toTerms(row),
    state: row.state,
    settled: BigInt(row.settled),
    owed: BigInt(row.owed),
    hold:
      row.hold_id === null
        ? undefined
        : {
            id: row.hold_id,
            account: BigInt(row.hold_account ?? 0),
            amount: BigInt(row.hold_amount ?? 0),
          },
    evidence: [],
    ruling:
      row.ruled_at === null
        ? undefined
        : {
            providerShareBps: row.ruling_share_bps ?? 0,
            reason: row.ruling_reason ?? "",
            ruledBy: row.ruled_by ?? "",
            ruledAt: row.ruled_at,
          },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    settledAt: row.settled_at ?? undefined,
  };
}

async function withEvidence(tx: Tx, rows: readonly TransactionRow[]): Promise<Transaction[]> {
  const contested = rows.filter((row) => row.evidence_count > 0).map((row) => row.id);
  const evidence = await findEvidence(tx, contested);
  return rows.map((row) => ({ ...toTransaction(row), evidence: evidence.get(row.id) ?? [] }));
}

/** The terms of those of these transactions that exist. They never change, so no lock is needed. */
export async function findTerms(tx: Tx, ids: readonly string[]): Promise<readonly Terms[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<TermsRow>(
    `select ${TERMS} from transactions where id = any($1::uuid[])`,
    [ids],
  );
  return rows.map(toTerms);
}

/** Locks those of these transactions that exist, in the order of their ids. */
export async function lockTransactions(
  tx: Tx,
  ids: readonly string[],
): Promise<readonly Transaction[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<TransactionRow>(
    `select ${SELECTED} from transactions where id = any($1::uuid[]) order by id for no key update`,
    [ids],
  );
  return withEvidence(tx, rows);
}

/** One transaction with its evidence. */
export async function findTransaction(tx: Tx, id: string): Promise<Transaction | undefined> {
  const { rows } = await tx.query<TransactionRow>(
    `select ${SELECTED} from transactions where id = $1`,
    [id],
  );
  return (await withEvidence(tx, rows))[0];
}

/** The terms of those of these ids that are burnt. */
export async function findBurnt(tx: Tx, ids: readonly string[]): Promise<readonly Terms[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<TermsRow>(
    `select ${TERMS} from burnt_transactions where id = any($1::uuid[])`,
    [ids],
  );
  return rows.map(toTerms);
}

const TERMS_COLUMNS: Columns<Terms> = {
  id: { type: "uuid", of: (terms) => terms.id },
  payer: { type: "text", of: (terms) => terms.payer },
  provider: { type: "text", of: (terms) => terms.provider },
  capability: { type: "text", of: (terms) => terms.capability },
  currency: { type: "text", of: (terms) => terms.amount.currency },
  amount: { type: "bigint", of: (terms) => terms.amount.micros },
  context: { type: "json", of: (terms) => terms.context && canonicalJson(terms.context) },
  recorder: { type: "text", of: (terms) => terms.recorder },
};

const CHANGING: Columns<Transaction> = {
  id: { type: "uuid", of: (row) => row.id },
  state: { type: "transaction_state", of: (row) => row.state },
  settled: { type: "bigint", of: (row) => row.settled },
  owed: { type: "bigint", of: (row) => row.owed },
  hold_id: { type: "uuid", of: (row) => row.hold?.id },
  hold_account: { type: "bigint", of: (row) => row.hold?.account },
  hold_amount: { type: "bigint", of: (row) => row.hold?.amount },
  evidence_count: { type: "integer", of: (row) => row.evidence.length },
  ruling_share_bps: { type: "integer", of: (row) => row.ruling?.providerShareBps },
  ruling_reason: { type: "text", of: (row) => row.ruling?.reason },
  ruled_by: { type: "text", of: (row) => row.ruling?.ruledBy },
  ruled_at: { type: "timestamptz", of: (row) => row.ruling?.ruledAt },
  updated_at: { type: "timestamptz", of: (row) => row.updatedAt },
  settled_at: { type: "timestamptz", of: (row) => row.settledAt },
};

const ALL: Columns<Transaction> = {
  ...TERMS_COLUMNS,
  ...CHANGING,
  created_at: { type: "timestamptz", of: (row) => row.createdAt },
};

/**
 * Writes transactions: those whose id is in `existing` are changed, the others added in the order
 * of their ids.
 */
export async function saveTransactions(
  tx: Tx,
  transactions: readonly Transaction[],
  existing: ReadonlySet<string>,
): Promise<void> {
  const added = transactions.filter(({ id }) => !existing.has(id));
  const changed = transactions.filter(({ id }) => existing.has(id));
  await insertRows(tx, "transactions", ALL, added.toSorted(byId));
  await updateRows(tx, "transactions", CHANGING, changed);
}

/** Remembers the terms of burnt ids. */
export async function insertBurnt(tx: Tx, burnt: readonly Terms[], now: Date): Promise<void> {
  const columns = { ...TERMS_COLUMNS, created_at: { type: "timestamptz", of: () => now } };
  await insertRows(tx, "burnt_transactions", columns, burnt.toSorted(byId));
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** A page of transactions, newest first, without their evidence. */
export async function listTransactions(
  tx: Tx,
  filter: TransactionFilter,
  after: TransactionCursor | undefined,
  limit: number,
): Promise<readonly Transaction[]> {
  const { agent, role } = filter;
  // One side at a time, since each has an index in the order of the list and both together have none.
  const sides =
    agent === undefined
      ? ["$1::text is null"]
      : (role === undefined ? SIDES : [role]).map((side) => `${side} = $1`);
  // What is pending has a hold: told, so that the index of open holds finds the few among the many.
  const pages = sides.map(
    (side) => `(
      select ${SELECTED} from transactions
      where ${side}
        and ($2::transaction_state is null or state = $2)
        and ($2 is distinct from 'PENDING' or hold_id is not null)
        and ($3::text is null or capability = $3)
        and ($4::timestamptz is null or created_at >= $4)
        and ($5::timestamptz is null or created_at < $5)
        and ($6::timestamptz is null or (created_at, id) < ($6, $7::uuid))
      order by created_at desc, id desc
      limit $8
    )`,
  );
  const { rows } = await tx.query<TransactionRow>(
    `select * from (${pages.join(" union all ")}) as page
     order by created_at desc, id desc
     limit $8`,
    [
      agent ?? null,
      filter.state ?? null,
      filter.capability ?? null,
      filter.from ?? null,
      filter.until ?? null,
      after?.createdAt ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows.map(toTransaction);
}

const SIDES = ["payer", "provider"] as const;
