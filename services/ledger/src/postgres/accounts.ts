import type { Tx } from "@bourse/postgres";
import type { Account, AccountName, AccountStatus } from "../account.ts";
import type { StampedAccount } from "./memory.ts";
import { arrayLiteral, type Columns, updateRows } from "./rows.ts";

interface AccountRow {
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  readonly debits_posted: string;
  readonly credits_posted: string;
  readonly debits_held: string;
  readonly credits_held: string;
  readonly credit_limit: string;
  readonly owed: string;
  readonly status: AccountStatus;
  readonly created_at: Date;
}

const ACCOUNT_COLUMNS = `a.id, a.owner, a.currency, a.debits_posted, a.credits_posted, a.debits_held,
  a.credits_held, a.credit_limit, a.owed, a.status, a.created_at`;

function toAccount(row: AccountRow): Account {
  return {
    id: BigInt(row.id),
    owner: row.owner,
    currency: row.currency,
    debitsPosted: BigInt(row.debits_posted),
    creditsPosted: BigInt(row.credits_posted),
    debitsHeld: BigInt(row.debits_held),
    creditsHeld: BigInt(row.credits_held),
    creditLimit: BigInt(row.credit_limit),
    owed: BigInt(row.owed),
    status: row.status,
    createdAt: row.created_at,
  };
}

/** Those of these accounts that are there, with their stamps. */
export async function findStamped(
  tx: Tx,
  names: readonly AccountName[],
): Promise<readonly StampedAccount[]> {
  if (names.length === 0) return [];
  const { rows } = await tx.query<AccountRow & { readonly stamp: string }>(
    `select ${ACCOUNT_COLUMNS}, a.stamp
     from unnest($1::text[], $2::text[]) as wanted (owner, currency)
     join accounts a using (owner, currency)`,
    byName(names),
  );
  return rows.map((row) => ({ account: toAccount(row), stamp: BigInt(row.stamp) }));
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
 * for each other.
 */
export async function lockAccounts(tx: Tx, ids: Iterable<bigint>): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow>({
    name: "lock accounts",
    text: `select ${ACCOUNT_COLUMNS} from accounts a
      where a.id = any($1::bigint[]) order by a.id for no key update`,
    values: [arrayLiteral([...ids])],
  });
  return rows.map(toAccount);
}

/** Drops accounts that the transaction opened for commands that were then refused. */
export async function dropAccounts(tx: Tx, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(`delete from accounts where id = any($1::bigint[])`, [ids]);
}

const CHANGING: Columns<Account> = {
  id: { type: "bigint", of: (account) => account.id },
  debits_posted: { type: "numeric", of: (account) => account.debitsPosted },
  credits_posted: { type: "numeric", of: (account) => account.creditsPosted },
  debits_held: { type: "numeric", of: (account) => account.debitsHeld },
  credits_held: { type: "numeric", of: (account) => account.creditsHeld },
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

/** An owner's accounts by currency. */
export async function accountsOfOwner(tx: Tx, owner: string): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow>(
    `select ${ACCOUNT_COLUMNS} from accounts a where a.owner = $1 order by a.currency`,
    [owner],
  );
  return rows.map(toAccount);
}

/** A page of accounts by owner and currency. */
export async function listAccounts(
  tx: Tx,
  currency: string | undefined,
  after: AccountName | undefined,
  limit: number,
): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow>(
    `select ${ACCOUNT_COLUMNS}
     from accounts a
     where ($1::text is null or a.currency = $1)
       and ($2::text is null or (a.owner, a.currency) > ($2, $3))
     order by a.owner, a.currency
     limit $4`,
    [currency ?? null, after?.owner ?? null, after?.currency ?? null, limit],
  );
  return rows.map(toAccount);
}
