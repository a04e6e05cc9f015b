import type { Tx } from "@bourse/postgres";
import type { Evidence, Transaction } from "../transaction.ts";
import { type Columns, insertRows } from "./rows.ts";

interface EvidenceRow {
  readonly transaction_id: string;
  readonly submitter: string;
  readonly note: string;
  readonly reference: string;
  readonly sha256: string;
  readonly submitted_at: Date;
}

/** The evidence of these transactions, each in the order in which it was brought. */
export async function findEvidence(
  tx: Tx,
  transactionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Evidence[]>> {
  if (transactionIds.length === 0) return new Map();
  const { rows } = await tx.query<EvidenceRow>(
    `select transaction_id, submitter, note, reference, sha256, submitted_at
     from evidence
     where transaction_id = any($1::uuid[])
     order by transaction_id, nth`,
    [transactionIds],
  );
  const byTransaction = new Map<string, Evidence[]>();
  for (const { transaction_id, submitted_at, ...piece } of rows) {
    const pieces = byTransaction.get(transaction_id) ?? [];
    pieces.push({ ...piece, submittedAt: submitted_at });
    byTransaction.set(transaction_id, pieces);
  }
  return byTransaction;
}

interface NthEvidence extends Evidence {
  readonly transactionId: string;
  readonly nth: number;
}

const COLUMNS: Columns<NthEvidence> = {
  transaction_id: { type: "uuid", of: (piece) => piece.transactionId },
  nth: { type: "integer", of: (piece) => piece.nth },
  submitter: { type: "text", of: (piece) => piece.submitter },
  note: { type: "text", of: (piece) => piece.note },
  reference: { type: "text", of: (piece) => piece.reference },
  sha256: { type: "text", of: (piece) => piece.sha256 },
  submitted_at: { type: "timestamptz", of: (piece) => piece.submittedAt },
};

/** Writes what `changed` has more of than `before`: evidence is only ever added at the end. */
export async function insertEvidence(
  tx: Tx,
  changed: readonly Transaction[],
  before: readonly Transaction[],
): Promise<void> {
  const counts = new Map(before.map(({ id, evidence }) => [id, evidence.length]));
  const added = changed.flatMap(({ id: transactionId, evidence }) =>
    evidence
      .map((piece, nth) => ({ ...piece, transactionId, nth }))
      .slice(counts.get(transactionId) ?? 0),
  );
  await insertRows(tx, "evidence", COLUMNS, added);
}
