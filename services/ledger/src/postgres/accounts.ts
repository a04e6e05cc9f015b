import type { Tx } from "@bourse/postgres";
import { type Account, type AccountName, accountKey } from "../account.ts";
import { type Columns, updateRows } from "./rows.ts";

interface AccountRow {
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  readonly posted: string;
  readonly held: string;
  readonly credit_limit: string;
  readonly created_at: Date;
}

const SELECTED = "a.id, a.owner, a.currency, a.posted, a.held, a.credit_limit, a.created_at";

function toAccount(row: AccountRow): Account {
  return {
    id: BigInt(row.id),
    owner: row.owner,
    currency: row.currency,
    posted: BigInt(row.posted),
    held: BigInt(row.held),
    creditLimit: BigInt(row.credit_limit),
    createdAt: row.created_at,
  };
}

/** Accounts that a transaction holds locked. */
export interface LockedAccounts {
  readonly accounts: readonly Account[];
  /** Ids of those among them that were not there before. */
  readonly opened: readonly bigint[];
}

/**
 * Opens the accounts that are missing and then locks all, in the order of their ids. Opening comes
 * first because a lock on a row that is not there locks nothing; the order keeps two writers from
 * waiting for each other.
 */
export async function lockAccounts(
  tx: Tx,
  wanted: readonly AccountName[],
  now: Date,
): Promise<LockedAccounts> {
  if (wanted.length === 0) return { accounts: [], opened: [] };
  const names = [...new Map(wanted.map((name) => [accountKey(name), name])).values()];
  const parameters = [names.map((name) => name.owner), names.map((name) => name.currency)];
  const opened = await tx.query<Pick<AccountRow, "id">>(
    `insert into accounts (owner, currency, created_at)
     select owner, currency, $3
     from unnest($1::text[], $2::text[]) as wanted (owner, currency)
     where not exists (
       select from accounts a where a.owner = wanted.owner and a.currency = wanted.currency
     )
     order by owner, currency
     on conflict on constraint accounts_owner_currency_key do nothing
     returning id`,
    [...parameters, now],
  );
  const { rows } = await tx.query<AccountRow>(
    `select ${SELECTED}
     from accounts a
     join unnest($1::text[], $2::text[]) as wanted (owner, currency) using (owner, currency)
     order by a.id
     for no key update of a`,
    parameters,
  );
  return { accounts: rows.map(toAccount), opened: opened.rows.map(({ id }) => BigInt(id)) };
}

/** Drops accounts that the transaction opened for commands that were then refused. */
export async function dropAccounts(tx: Tx, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(`delete from accounts where id = any($1::bigint[])`, [ids]);
}

const CHANGING: Columns<Account> = {
  id: { type: "bigint", of: (account) => account.id },
  posted: { type: "bigint", of: (account) => account.posted },
  held: { type: "bigint", of: (account) => account.held },
  credit_limit: { type: "bigint", of: (account) => account.creditLimit },
};

/** Writes the amounts of accounts that the transaction holds locked. */
export async function updateAccounts(tx: Tx, accounts: readonly Account[]): Promise<void> {
  await updateRows(tx, "accounts", CHANGING, accounts);
}

/** An owner's accounts by currency. */
export async function accountsOfOwner(tx: Tx, owner: string): Promise<readonly Account[]> {
  const { rows } = await tx.query<AccountRow>(
    `select ${SELECTED} from accounts a where a.owner = $1 order by a.currency`,
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
    `select ${SELECTED}
     from accounts a
     where ($1::text is null or a.currency = $1)
       and ($2::text is null or (a.owner, a.currency) > ($2, $3))
     order by a.owner, a.currency
     limit $4`,
    [currency ?? null, after?.owner ?? null, after?.currency ?? null, limit],
  );
  return rows.map(toAccount);
}
