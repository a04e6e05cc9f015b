import type { Tx } from "@bourse/postgres";
import type { Dispute, Evidence, Ruling, Transaction, Vote } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";

/** A dispute as it is stored. */
export interface DisputeRow {
  readonly transaction_id: string;
  readonly amount: string;
  readonly flagged_by: string;
  readonly flagged_at: Date;
  readonly evidence_due: Date;
  readonly ruling_due: Date;
  readonly due_at: Date | null;
  readonly was_settled: boolean;
  readonly ruling_share_bps: number | null;
  readonly ruling_rule: Ruling["rule"] | null;
  readonly ruling_reason: string | null;
  readonly ruled_by: string | null;
  readonly ruled_at: Date | null;
}

/** The columns of a DisputeRow of the table `d`. */
export const DISPUTE_COLUMNS = `d.transaction_id, d.amount, d.flagged_by, d.flagged_at,
  d.evidence_due, d.ruling_due, d.due_at, d.was_settled, d.ruling_share_bps, d.ruling_rule,
  d.ruling_reason, d.ruled_by, d.ruled_at`;

/** A stored dispute without what was said in it. */
export function toDispute(row: DisputeRow): Omit<Dispute, "evidence" | "votes"> {
  const { ruling_share_bps: share, ruling_rule: rule, ruled_at: ruledAt } = row;
  return {
    flaggedBy: row.flagged_by,
    flaggedAt: row.flagged_at,
    evidenceDue: row.evidence_due,
    rulingDue: row.ruling_due,
    dueAt: row.due_at ?? undefined,
    wasSettled: row.was_settled,
    amount: BigInt(row.amount),
    ruling:
      share === null || rule === null || ruledAt === null
        ? undefined
        : {
            rule,
            providerShareBps: share,
            reason: row.ruling_reason ?? "",
            ruledBy: row.ruled_by ?? "",
            ruledAt,
          },
  };
}

/** The disputes of these transactions, with all that was said in them. */
export async function findDisputes(
  tx: Tx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Dispute>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<DisputeRow>(
    `select ${DISPUTE_COLUMNS} from disputes d where transaction_id = any($1::uuid[])`,
    [arrayLiteral(ids)],
  );
  const evidence = await findEvidence(tx, ids);
  const votes = await findVotes(tx, ids);
  return new Map(
    rows.map((row) => [
      row.transaction_id,
      {
        ...toDispute(row),
        evidence: evidence.get(row.transaction_id) ?? [],
        votes: votes.get(row.transaction_id) ?? [],
      },
    ]),
  );
}

interface EvidenceRow {
  readonly transaction_id: string;
  readonly submitter: string;
  readonly note: string;
  readonly reference: string;
  readonly sha256: string;
  readonly submitted_at: Date;
}

async function findEvidence(tx: Tx, ids: readonly string[]): Promise<Map<string, Evidence[]>> {
  const { rows } = await tx.query<EvidenceRow>(
    `select transaction_id, submitter, note, reference, sha256, submitted_at
     from evidence
     where transaction_id = any($1::uuid[])
     order by transaction_id, nth`,
    [arrayLiteral(ids)],
  );
  return gathered(rows, ({ submitter, note, reference, sha256, submitted_at }) => ({
    submitter,
    note,
    reference,
    sha256,
    submittedAt: submitted_at,
  }));
}

interface VoteRow {
  readonly transaction_id: string;
  readonly arbitrator: string;
  readonly share_bps: number;
  readonly reason: string;
  readonly voted_at: Date;
}

async function findVotes(tx: Tx, ids: readonly string[]): Promise<Map<string, Vote[]>> {
  const { rows } = await tx.query<VoteRow>(
    `select transaction_id, arbitrator, share_bps, reason, voted_at
     from votes
     where transaction_id = any($1::uuid[])
     order by transaction_id, voted_at, arbitrator`,
    [arrayLiteral(ids)],
  );
  return gathered(rows, ({ arbitrator, share_bps, reason, voted_at }) => ({
    arbitrator,
    shareBps: share_bps,
    reason,
    votedAt: voted_at,
  }));
}

function gathered<Row extends { readonly transaction_id: string }, T>(
  rows: readonly Row[],
  decode: (row: Row) => T,
): Map<string, T[]> {
  const groups = Map.groupBy(rows, (row) => row.transaction_id);
  return new Map([...groups].map(([id, members]) => [id, members.map(decode)]));
}

interface Disputed extends Dispute {
  readonly transactionId: string;
  readonly payer: bigint;
  readonly provider: bigint;
}

const COLUMNS: Columns<Disputed> = {
  transaction_id: { type: "uuid", of: (dispute) => dispute.transactionId },
  payer_account: { type: "bigint", of: (dispute) => dispute.payer },
  provider_account: { type: "bigint", of: (dispute) => dispute.provider },
  amount: { type: "bigint", of: (dispute) => dispute.amount },
  flagged_by: { type: "text", of: (dispute) => dispute.flaggedBy },
  flagged_at: { type: "timestamptz", of: (dispute) => dispute.flaggedAt },
  evidence_due: { type: "timestamptz", of: (dispute) => dispute.evidenceDue },
  ruling_due: { type: "timestamptz", of: (dispute) => dispute.rulingDue },
  due_at: { type: "timestamptz", of: (dispute) => dispute.dueAt },
  was_settled: { type: "boolean", of: (dispute) => dispute.wasSettled },
  evidence_count: { type: "integer", of: (dispute) => dispute.evidence.length },
  ruling_share_bps: { type: "integer", of: (dispute) => dispute.ruling?.providerShareBps },
  ruling_rule: { type: "text", of: (dispute) => dispute.ruling?.rule },
  ruling_reason: { type: "text", of: (dispute) => dispute.ruling?.reason },
  ruled_by: { type: "text", of: (dispute) => dispute.ruling?.ruledBy },
  ruled_at: { type: "timestamptz", of: (dispute) => dispute.ruling?.ruledAt },
};

const REPLACED = `(transaction_id) do update
  set ${[
    "due_at",
    "evidence_count",
    "ruling_share_bps",
    "ruling_rule",
    "ruling_reason",
    "ruled_by",
    "ruled_at",
  ]
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}`;

/** Writes disputes that are new or changed, and the evidence and votes that they have more of. */
export async function saveDisputes(
  tx: Tx,
  transactions: readonly Transaction[],
  before: ReadonlyMap<string, Transaction>,
  accountOf: (owner: string, currency: string) => bigint,
): Promise<void> {
  const changed = transactions.flatMap(({ id, dispute, payer, provider, amount, arbitration }) =>
    dispute === undefined || dispute === before.get(id)?.dispute
      ? []
      : [
          {
            ...dispute,
            transactionId: id,
            payer: accountOf(payer, amount.currency),
            provider: accountOf(provider, amount.currency),
            arbitrators: arbitration?.arbitrators ?? [],
            before: before.get(id)?.dispute,
          },
        ],
  );
  await insertRows(tx, "disputes", COLUMNS, changed, REPLACED);
  const named = changed.flatMap(({ transactionId, arbitrators, before: old }) =>
    old === undefined ? arbitrators.map((arbitrator) => ({ transactionId, arbitrator })) : [],
  );
  await insertRows(tx, "dispute_arbitrators", ARBITRATORS, named);
  const pieces = changed.flatMap(({ transactionId, evidence, before: old }) =>
    evidence
      .map((piece, nth) => ({ ...piece, transactionId, nth }))
      .slice(old?.evidence.length ?? 0),
  );
  await insertRows(tx, "evidence", EVIDENCE, pieces);
  const votes = changed.flatMap(({ transactionId, votes: all, before: old }) =>
    all
      .filter((vote) => old?.votes.includes(vote) !== true)
      .map((vote) => ({ ...vote, transactionId })),
  );
  const replaced = `(transaction_id, arbitrator) do update
    set share_bps = excluded.share_bps, reason = excluded.reason, voted_at = excluded.voted_at`;
  await insertRows(tx, "votes", VOTES, votes, replaced);
}

const ARBITRATORS: Columns<{ readonly transactionId: string; readonly arbitrator: string }> = {
  arbitrator: { type: "text", of: (row) => row.arbitrator },
  transaction_id: { type: "uuid", of: (row) => row.transactionId },
};

const EVIDENCE: Columns<Evidence & { readonly transactionId: string; readonly nth: number }> = {
  transaction_id: { type: "uuid", of: (piece) => piece.transactionId },
  nth: { type: "integer", of: (piece) => piece.nth },
  submitter: { type: "text", of: (piece) => piece.submitter },
  note: { type: "text", of: (piece) => piece.note },
  reference: { type: "text", of: (piece) => piece.reference },
  sha256: { type: "text", of: (piece) => piece.sha256 },
  submitted_at: { type: "timestamptz", of: (piece) => piece.submittedAt },
};

const VOTES: Columns<Vote & { readonly transactionId: string }> = {
  transaction_id: { type: "uuid", of: (vote) => vote.transactionId },
  arbitrator: { type: "text", of: (vote) => vote.arbitrator },
  share_bps: { type: "integer", of: (vote) => vote.shareBps },
  reason: { type: "text", of: (vote) => vote.reason },
  voted_at: { type: "timestamptz", of: (vote) => vote.votedAt },
};
