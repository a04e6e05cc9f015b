import type { Tx } from "@bourse/postgres";
import { canonicalJson, type JsonObject } from "@bourse/proof";
import type { Terms } from "../transaction.ts";
import { arrayLiteral, type Columns, insertRows } from "./rows.ts";
import { type StoredTerms, storedTerms } from "./transactions.ts";

interface BurntRow {
  readonly id: string;
  readonly payer: string;
  readonly provider: string;
  readonly capability: string;
  readonly currency: string;
  readonly amount: string;
  readonly hold_ms: string;
  readonly recorder: string;
  readonly group_id: string | null;
  readonly context: JsonObject | null;
  readonly terms: StoredTerms | null;
}

/** The terms of those of these ids that are burnt. */
export async function findBurnt(tx: Tx, ids: readonly string[]): Promise<readonly Terms[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<BurntRow>({
    name: "find burnt",
    text: `select id, payer, provider, capability, currency, amount, hold_ms, recorder, group_id,
        context, terms
      from burnt_transactions where id = any($1::uuid[])`,
    values: [arrayLiteral(ids)],
  });
  return rows.map((row) => ({
    id: row.id,
    payer: row.payer,
    provider: row.provider,
    capability: row.capability,
    amount: { micros: BigInt(row.amount), currency: row.currency },
    context: row.context ?? undefined,
    recorder: row.recorder,
    groupId: row.group_id ?? undefined,
    holdMs: Number(row.hold_ms),
    delivery: row.terms?.delivery,
    arbitration: row.terms?.arbitration,
  }));
}

/** How the terms of a burnt id are written. */
export const BURNT_COLUMNS: Columns<Terms> = {
  id: { type: "uuid", of: (terms) => terms.id },
  payer: { type: "text", of: (terms) => terms.payer },
  provider: { type: "text", of: (terms) => terms.provider },
  capability: { type: "text", of: (terms) => terms.capability },
  currency: { type: "text", of: (terms) => terms.amount.currency },
  amount: { type: "bigint", of: (terms) => terms.amount.micros },
  hold_ms: { type: "bigint", of: (terms) => terms.holdMs },
  recorder: { type: "text", of: (terms) => terms.recorder },
  group_id: { type: "uuid", of: (terms) => terms.groupId },
  context: { type: "json", of: (terms) => terms.context && canonicalJson(terms.context) },
  terms: { type: "json", of: storedTerms },
};

/** Remembers the terms of burnt ids. */
export async function insertBurnt(tx: Tx, burnt: readonly Terms[], now: Date): Promise<void> {
  const columns = { ...BURNT_COLUMNS, created_at: { type: "timestamptz", of: () => now } };
  // In the order of their ids, so that two batches which share several cannot wait for each other.
  const sorted = burnt.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  await insertRows(tx, "burnt_transactions", columns, sorted);
}

/** One of these ids that was burnt and is recorded now, or the other way round; undefined for none. */
export async function findUsed(
  tx: Tx,
  { recorded, burnt }: Record<"recorded" | "burnt", readonly string[]>,
): Promise<string | undefined> {
  if (recorded.length + burnt.length === 0) return undefined;
  const { rows } = await tx.query<{ readonly id: string }>({
    name: "find used",
    text: `select id from burnt_transactions where id = any($1::uuid[])
      union all select id from transactions where id = any($2::uuid[])
      limit 1`,
    values: [arrayLiteral(recorded), arrayLiteral(burnt)],
  });
  return rows[0]?.id;
}
