import type { Tx } from "@bourse/postgres";
import { canonicalJson, type JsonObject } from "@bourse/proof";
import type { Account } from "../account.ts";
import type { Rule } from "../ruling.ts";
import {
  type ArbitrationTerms,
  type DeliveryTerms,
  type Dispute,
  isPlain,
  type Transaction,
  type TransactionState,
} from "../transaction.ts";
import { findDisputes } from "./disputes.ts";
import { arrayLiteral, type Columns, insertRows, updateRows } from "./rows.ts";
import { SIDE_COLUMNS, type SideRow, sidesOf, WITH_SIDES } from "./sides.ts";

/** A transaction as it is stored. */
export interface TransactionRow {
  readonly id: string;
  readonly payer_account: string;
  readonly provider_account: string;
  readonly amount: string;
  readonly settled: string;
  readonly hold_ms: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly settled_at: Date | null;
  readonly state: TransactionState;
  readonly disputed: boolean;
  readonly capability: string;
  readonly recorder: string;
  readonly group_id: string | null;
  readonly context: JsonObject | null;
  readonly terms: StoredTerms | null;
  readonly delivered_at: Date | null;
  readonly delivered_sha256: Uint8Array | null;
  readonly delivered_reference: string | null;
  readonly end_rule: Rule | null;
}

/** What is in the column `terms`. */
export interface StoredTerms {
  readonly delivery?: DeliveryTerms;
  readonly arbitration?: ArbitrationTerms;
}

/** Who the two parties of a transaction are. */
interface Parties {
  readonly payer: string;
  readonly provider: string;
  readonly currency: string;
}

const SELECTED = `t.id, t.payer_account, t.provider_account, t.amount, t.settled, t.hold_ms,
  t.created_at, t.updated_at, t.settled_at, t.state, t.disputed, t.capability, t.recorder,
  t.group_id, t.context, t.terms, t.delivered_at, t.delivered_sha256, t.delivered_reference,
  t.end_rule`;

function toTransaction(
  row: TransactionRow & SideRow,
  { payer, provider, currency }: Parties,
  dispute: Dispute | undefined,
): Transaction {
  return {
    id: row.id,
    payer,
    provider,
    capability: row.capability,
    amount: { micros: BigInt(row.amount), currency },
    context: row.context ?? undefined,
    recorder: row.recorder,
    groupId: row.group_id ?? undefined,
    holdMs: Number(row.hold_ms),
    delivery: row.terms?.delivery,
    arbitration: row.terms?.arbitration,
    state: row.state,
    settled: BigInt(row.settled),
    owed: BigInt(row.owed ?? 0),
    hold:
      row.hold_id === null
        ? undefined
        : {
            id: row.hold_id,
            account: BigInt(row.hold_account ?? 0),
            amount: BigInt(row.hold_amount ?? 0),
            dueAt: row.due_at ?? undefined,
          },
    delivered:
      row.delivered_at === null
        ? undefined
        : {
            at: row.delivered_at,
            sha256: Buffer.from(row.delivered_sha256 ?? []).toString("hex"),
            reference: row.delivered_reference ?? "",
          },
    dispute,
    endRule: row.end_rule ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    settledAt: row.settled_at ?? undefined,
  };
}

/**
 * The transactions of these rows, between parties whose accounts are all given. Call it when both
 * are locked: only then what stands beside them can be read as it is.
 */
export async function toTransactions(
  tx: Tx,
  rows: readonly TransactionRow[],
  accounts: readonly Account[],
): Promise<readonly Transaction[]> {
  const byId = new Map(accounts.map((account) => [String(account.id), account]));
  const sides = await sidesOf(
    tx,
    rows.map(({ id }) => id),
  );
  const disputes = await disputesOf(tx, rows);
  return rows.map((row) => {
    const payer = byId.get(row.payer_account);
    const provider = byId.get(row.provider_account);
    const side = sides.get(row.id);
    if (payer === undefined || provider === undefined || side === undefined) {
      throw new Error(`transaction ${row.id} lacks an account or is gone`);
    }
    const parties = { payer: payer.owner, provider: provider.owner, currency: payer.currency };
    return toTransaction({ ...row, ...side }, parties, disputes.get(row.id));
  });
}

function disputesOf(
  tx: Tx,
  rows: readonly TransactionRow[],
): Promise<ReadonlyMap<string, Dispute>> {
  return findDisputes(
    tx,
    rows.filter((row) => row.disputed).map(({ id }) => id),
  );
}

/** Locks those of these transactions that exist, in the order of their ids. */
export async function lockTransactions(
  tx: Tx,
  ids: readonly string[],
): Promise<readonly TransactionRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<TransactionRow>({
    name: "lock transactions",
    text: `select ${SELECTED} from transactions t
      where t.id = any($1::uuid[]) order by t.id for no key update of t`,
    values: [arrayLiteral(ids)],
  });
  return rows;
}

/** The ids of the transactions that were recorded with these groups. */
export async function findGroups(tx: Tx, groups: readonly string[]): Promise<readonly string[]> {
  if (groups.length === 0) return [];
  const { rows } = await tx.query<{ id: string }>(
    `select id from transactions where group_id = any($1::uuid[])`,
    [groups],
  );
  return rows.map(({ id }) => id);
}

type ReadRow = TransactionRow & SideRow & Parties;

const READ = `select ${SELECTED}, ${SIDE_COLUMNS}, payer.owner as payer, provider.owner as provider,
    payer.currency
  from transactions t ${WITH_SIDES}
  join accounts payer on payer.id = t.payer_account
  join accounts provider on provider.id = t.provider_account`;

/** One transaction with all that was said in its dispute. */
export async function findTransaction(tx: Tx, id: string): Promise<Transaction | undefined> {
  return (await findTransactions(tx, [id], "with disputes"))[0];
}

/** These transactions in this order, with or without what was said in their disputes. */
export async function findTransactions(
  tx: Tx,
  ids: readonly string[],
  extent: "with disputes" | "without disputes",
): Promise<readonly Transaction[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.query<ReadRow>(`${READ} where t.id = any($1::uuid[])`, [ids]);
  const disputes = extent === "with disputes" ? await disputesOf(tx, rows) : undefined;
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => {
    const row = byId.get(id);
    return row === undefined ? [] : [toTransaction(row, row, disputes?.get(id))];
  });
}

/** What never changes; `accountOf` tells the id of an owner's account. */
function termsColumns(
  accountOf: (owner: string, currency: string) => bigint,
): Columns<Transaction> {
  const party = (row: Transaction, owner: string) => accountOf(owner, row.amount.currency);
  return {
    payer_account: { type: "bigint", of: (row) => party(row, row.payer) },
    provider_account: { type: "bigint", of: (row) => party(row, row.provider) },
    amount: { type: "bigint", of: (row) => row.amount.micros },
    hold_ms: { type: "bigint", of: (row) => row.holdMs },
    created_at: { type: "timestamptz", of: (row) => row.createdAt },
    capability: { type: "text", of: (row) => row.capability },
    recorder: { type: "text", of: (row) => row.recorder },
    group_id: { type: "uuid", of: (row) => row.groupId },
    context: { type: "json", of: (row) => row.context && canonicalJson(row.context) },
    terms: { type: "json", of: (row) => storedTerms(row) },
  };
}

/** What every step changes. */
const STATE: Columns<Transaction> = {
  id: { type: "uuid", of: (row) => row.id },
  state: { type: "transaction_state", of: (row) => row.state },
  settled: { type: "bigint", of: (row) => row.settled },
  updated_at: { type: "timestamptz", of: (row) => row.updatedAt },
  settled_at: { type: "timestamptz", of: (row) => row.settledAt },
};

/** What also changes when there is more to it than a payment. */
const CIRCUMSTANCES: Columns<Transaction> = {
  disputed: { type: "boolean", of: (row) => row.dispute !== undefined },
  delivered_at: { type: "timestamptz", of: (row) => row.delivered?.at },
  delivered_sha256: {
    type: "bytea",
    of: (row) => row.delivered && Buffer.from(row.delivered.sha256, "hex"),
  },
  delivered_reference: { type: "text", of: (row) => row.delivered?.reference },
  end_rule: { type: "text", of: (row) => row.endRule },
};

/** What was agreed beyond the price as canonical JSON, or undefined when nothing was. */
export function storedTerms({
  delivery,
  arbitration,
}: Pick<Transaction, "delivery" | "arbitration">): string | undefined {
  if (delivery === undefined && arbitration === undefined) return undefined;
  return canonicalJson({
    ...(delivery && { delivery: { ...delivery } }),
    ...(arbitration && { arbitration: { ...arbitration } }),
  });
}

/** Adds transactions, in the order of their ids, and changes others. */
export async function saveTransactions(
  tx: Tx,
  { added, changed }: Record<"added" | "changed", readonly Transaction[]>,
  accountOf: (owner: string, currency: string) => bigint,
): Promise<void> {
  const terms = termsColumns(accountOf);
  const sorted = added.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const [newPlain, newOthers] = divided(sorted);
  const [plain, others] = divided(changed);
  await insertRows(tx, "transactions", { ...terms, ...STATE }, newPlain);
  await insertRows(tx, "transactions", { ...terms, ...STATE, ...CIRCUMSTANCES }, newOthers);
  await updateRows(tx, "transactions", STATE, plain);
  await updateRows(tx, "transactions", { ...STATE, ...CIRCUMSTANCES }, others);
}

/** Those that are mere payments and those with more to it. */
function divided(rows: readonly Transaction[]): [plain: Transaction[], others: Transaction[]] {
  return [rows.filter(isPlain), rows.filter((row) => !isPlain(row))];
}
