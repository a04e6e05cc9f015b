import type { Tx } from "@bourse/postgres";
import {
  type Account,
  type AccountName,
  type AccountStatus,
  BALANCE_MAX,
  committed,
} from "../account.ts";
import type { Answer } from "../books.ts";
import type { Findings } from "./memory.ts";
import { arrayLiteral, type Columns, updateRows } from "./rows.ts";

interface AccountRow {
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  readonly debits: string;
  readonly credits_posted: string;
  readonly credit_limit: string;
  readonly owed: string;
  readonly status: AccountStatus;
  readonly created_at: Date;
}

/** What open holds of an account come to: those at it, and those toward it. */
interface HoldSums {
  readonly held: string;
  readonly coming: string;
}

// Only together do the two columns tell something: all that went out or is promised.
const ACCOUNT_COLUMNS = `a.id, a.owner, a.currency, a.debits_posted + a.debits_held as debits,
  a.credits_posted, a.credit_limit, a.owed, a.status, a.created_at`;

const HOLD_SUMS = `
  (select coalesce(sum(h.amount), 0) from holds h where h.account = a.id) as held,
  (select coalesce(sum(h.amount), 0) from holds h where h.payee = a.id) as coming`;

function toAccount(row: AccountRow, sums?: HoldSums): Account {
  const held = BigInt(sums?.held ?? 0);
  return {
    id: BigInt(row.id),
    owner: row.owner,
    currency: row.currency,
    holds: sums === undefined ? "unread" : undefined,
    debitsPosted: BigInt(row.debits) - held,
    creditsPosted: BigInt(row.credits_posted),
    debitsHeld: held,
    creditsHeld: BigInt(sums?.coming ?? 0),
    creditLimit: BigInt(row.credit_limit),
    owed: BigInt(row.owed),
    status: row.status,
    createdAt: row.created_at,
  };
}

function withSums(row: AccountRow & HoldSums): Account {
  return toAccount(row, row);
}

/**
 * Those of these accounts that are there. Open holds are read of those with a large turnover only, and may be fewer
 * by then: a hold that ends changes no stamp.
 */
export async function findStamped(tx: Tx, names: readonly AccountName[]): Promise<Findings> {
  if (names.length === 0) return { accounts: [], closings: undefined };
  type Row = AccountRow & { readonly stamp: string; readonly closings: string };
  const { rows } = await tx.query<Row>(
    `select ${ACCOUNT_COLUMNS}, a.stamp, (select closings from journal_head) as closings
     from unnest($1::text[], $2::text[]) as wanted (owner, currency)
     join accounts a using (owner, currency)`,
    byName(names),
  );
  const accounts = await summed(
    tx,
    rows.map((row) => toAccount(row)),
    isLarge,
  );
  const closings = rows[0]?.closings;
  return {
    accounts: rows.map(({ stamp }, nth) => ({
      account: accounts[nth] as Account,
      stamp: BigInt(stamp),
    })),
    closings: closings === undefined ? undefined : BigInt(closings),
  };
}

/** Whether what comes in may take the balance of an account out of its range: it got as much already. */
function isLarge({ creditsPosted }: Account): boolean {
  return creditsPosted > BALANCE_MAX;
}

/** The same accounts, with the open holds of those that are `wanted`. */
async function summed(
  tx: Tx,
  accounts: readonly Account[],
  wanted: (account: Account) => boolean,
): Promise<readonly Account[]> {
  const ids = accounts.filter(wanted).map(({ id }) => id);
  if (ids.length === 0) return accounts;
  const { rows } = await tx.query<HoldSums & { readonly id: string }>(
    `select a.id, ${HOLD_SUMS} from unnest($1::bigint[]) as a (id)`,
    [arrayLiteral(ids)],
  );
  const sums = new Map(rows.map((row) => [BigInt(row.id), row]));
  return accounts.map((account) => {
    const { held, coming } = sums.get(account.id) ?? {};
    if (held === undefined || coming === undefined) return account;
    return {
      ...account,
      holds: undefined,
      debitsPosted: committed(account) - BigInt(held),
      debitsHeld: BigInt(held),
      creditsHeld: BigInt(coming),
    };
  });
}

/** The ids of those of these accounts that are there. */
export async function findAccountIds(
  tx: Tx,
  names: readonly AccountName[],
): Promise<readonly bigint[]> {
  if (names.length === 0) return [];
  const { rows } = await tx.query<Pick<AccountRow, "id">>({
    name: "find accounts",
    text: `select a.id from unnest($1::text[], $2::text[]) as wanted (owner, currency)
      join accounts a using (owner, currency)`,
    values: byName(names),
  });
  return rows.map(({ id }) => BigInt(id));
}

/**
 * Opens those of these accounts that are missing and returns their ids. A lock on a row that is not
 * there locks nothing, so this comes before the lock.
 */
export async function openAccounts(
  tx: Tx,
  names: readonly AccountName[],
  now: Date,
): Promise<readonly bigint[]> {
  const { rows } = await tx.query<Pick<AccountRow, "id">>(
    `insert into accounts (owner, currency, created_at)
     select owner, currency, $3
     from unnest($1::text[], $2::text[]) as wanted (owner, currency)
     where not exists (
       select from accounts a where a.owner = wanted.owner and a.currency = wanted.currency
     )
     order by owner, currency
     on conflict on constraint accounts_owner_currency_key do nothing
     returning id`,
    [...byName(names), now],
  );
  return rows.map(({ id }) => BigInt(id));
}

function byName(names: readonly AccountName[]): string[] {
  return [
    arrayLiteral(names.map((name) => name.owner)),
    arrayLiteral(names.map((name) => name.currency)),
  ];
}

/**
 * Locks the accounts of these ids, in the order of the ids, which keeps two writers from waiting
 * for each other. Open holds are read behind the locks, since they end without them: of all accounts or, as an
 * account may have any number, only of those with a large turnover.
 */
export async function lockAccounts(
  tx: Tx,
  ids: Iterable<bigint>,
  holdsOf: "all" | "large",
): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow>({
    name: "lock accounts",
    text: `select ${ACCOUNT_COLUMNS} from accounts a
      where a.id = any($1::bigint[]) order by a.id for no key update`,
    values: [arrayLiteral([...ids])],
  });
  const accounts = rows.map((row) => toAccount(row));
  return summed(tx, accounts, holdsOf === "all" ? () => true : isLarge);
}

/** Drops accounts that the transaction opened for commands that were then refused. */
export async function dropAccounts(tx: Tx, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(`delete from accounts where id = any($1::bigint[])`, [ids]);
}

const CHANGING: Columns<Account> = {
  id: { type: "bigint", of: (account) => account.id },
  debits_posted: { type: "numeric", of: committed },
  debits_held: { type: "numeric", of: () => 0 },
  credits_posted: { type: "numeric", of: (account) => account.creditsPosted },
  credit_limit: { type: "bigint", of: (account) => account.creditLimit },
  owed: { type: "bigint", of: (account) => account.owed },
  status: { type: "account_status", of: (account) => account.status },
  // What the row began with, for the versions to come.
  room: { type: "text", of: () => "" },
};

/** Writes the amounts of accounts that the transaction holds locked, under a new stamp. */
export async function updateAccounts(
  tx: Tx,
  accounts: readonly Account[],
  stamp: bigint,
): Promise<void> {
  const columns: Columns<Account> = { ...CHANGING, stamp: { type: "bigint", of: () => stamp } };
  await updateRows(tx, "accounts", columns, accounts);
}

/** The ids of an owner's accounts. */
export async function accountIdsOf(tx: Tx, owner: string): Promise<readonly string[]> {
  const { rows } = await tx.query<Pick<AccountRow, "id">>(
    "select a.id from accounts a where a.owner = $1 order by a.currency",
    [owner],
  );
  return rows.map(({ id }) => id);
}

/** An owner's accounts by currency, with their open holds. */
export async function accountsOfOwner(tx: Tx, owner: string): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow & HoldSums>(
    `select ${ACCOUNT_COLUMNS}, ${HOLD_SUMS}
     from accounts a where a.owner = $1 order by a.currency`,
    [owner],
  );
  return rows.map(withSums);
}

/** A page of accounts by owner and currency, with their open holds. */
export async function listAccounts(
  tx: Tx,
  currency: string | undefined,
  after: AccountName | undefined,
  limit: number,
): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow & HoldSums>(
    `select ${ACCOUNT_COLUMNS}, ${HOLD_SUMS}
     from accounts a
     where ($1::text is null or a.currency = $1)
       and ($2::text is null or (a.owner, a.currency) > ($2, $3))
     order by a.owner, a.currency
     limit $4`,
    [currency ?? null, after?.owner ?? null, after?.currency ?? null, limit],
  );
  return rows.map(withSums);
}

/** The same answers, in which each account is as it stands now, with its open holds. */
export async function withHolds(tx: Tx, answers: readonly Answer[]): Promise<readonly Answer[]> {
  const ids = new Set(answers.flatMap(accountsIn));
  if (ids.size === 0) return answers;
  const { rows } = await tx.query<AccountRow & HoldSums>(
    `select ${ACCOUNT_COLUMNS}, ${HOLD_SUMS} from accounts a where a.id = any($1::bigint[])`,
    [arrayLiteral([...ids])],
  );
  const accounts = new Map(rows.map(withSums).map((account) => [account.id, account]));
  const now = (answer: Answer): Answer => {
    if (answer.kind === "group") return { ...answer, answers: answer.answers.map(now) };
    if (answer.kind !== "account") return answer;
    return { ...answer, account: accounts.get(answer.account.id) ?? answer.account };
  };
  return answers.map(now);
}

function accountsIn(answer: Answer): readonly bigint[] {
  if (answer.kind === "group") return answer.answers.flatMap(accountsIn);
  return answer.kind === "account" ? [answer.account.id] : [];
}
