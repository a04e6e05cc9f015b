import { type Tx, violated } from "@bourse/postgres";
import { type Account, type AccountName, accountKey } from "../account.ts";
import { type Draft, openDraft, type Stamp } from "../books.ts";
import { type Command, play, type Subjects, subjectsOf } from "../command.ts";
import { eventOf } from "../lineage.ts";
import type { Commit } from "../store.ts";
import type { Terms, Transaction } from "../transaction.ts";
import { dropAccounts, lockAccounts, openAccounts, updateAccounts } from "./accounts.ts";
import { findBurnt, findRecorded, insertBurnt } from "./burnt.ts";
import { saveDebts } from "./debts.ts";
import { saveDisputes } from "./disputes.ts";
import { saveHolds } from "./holds.ts";
import { writeBatch } from "./journal.ts";
import { findGroups, lockTransactions, saveTransactions, toTransactions } from "./transactions.ts";
import { findTransfers, insertTransfers } from "./transfers.ts";

/** What a batch is decided with. */
export interface BatchStamp extends Stamp {
  readonly newPseudonym: () => string;
}

const RACED: ReadonlySet<string> = new Set([
  "transactions_pkey",
  "burnt_transactions_pkey",
  "transfers_pkey",
]);

/** Another process has recorded what this one was about to burn. */
class RecordedMeanwhile extends Error {}

/**
 * Whether a failed batch only lost a race for an id against another process, and will know better
 * when run again.
 */
export function lostRace(error: unknown): boolean {
  return error instanceof RecordedMeanwhile || RACED.has(violated(error) ?? "");
}

/**
 * Decides commands in order and writes what they change, within the caller's database transaction.
 * Locks: transactions by id, then accounts by id, then the head of the journal; every writer takes
 * them in this order.
 */
export async function commitIn(
  tx: Tx,
  commands: readonly Command[],
  stamp: BatchStamp,
): Promise<Commit> {
  const subjects = subjectsOf(commands);
  const books = await lockBooks(tx, subjects, stamp.now);
  const draft = openDraft(books);
  const answers = play(draft, commands, stamp);
  await write(tx, books, draft, stamp);
  const { happenings, movements } = draft.changed;
  const events = happenings.flatMap((happening) => eventOf(happening, stamp.now) ?? []);
  if (movements.length > 0 || events.length > 0) {
    await writeBatch(tx, { movements, events, source: "ledger" }, stamp);
  }
  return { answers, happenings };
}

/** The rows that commands may touch, locked. */
interface LockedBooks {
  readonly accounts: readonly Account[];
  /** Ids of those accounts that were not there before. */
  readonly opened: readonly bigint[];
  readonly transactions: readonly Transaction[];
  readonly burnt: readonly Terms[];
  readonly transfers: Awaited<ReturnType<typeof findTransfers>>;
}

async function lockBooks(tx: Tx, subjects: Subjects, now: Date): Promise<LockedBooks> {
  const recorded = subjects.recorded.map(({ id }) => id);
  const members = await findGroups(tx, subjects.groups);
  const ids = [...new Set([...subjects.transactions, ...recorded, ...members])];
  const rows = await lockTransactions(tx, ids);
  const names = namesOf(subjects);
  const opened = await openAccounts(tx, names, now);
  const parties = rows.flatMap((row) => [row.payer_account, row.provider_account]);
  const accounts = await lockAccounts(tx, names, [...new Set(parties)].map(BigInt));
  const existing = new Set(rows.map(({ id }) => id));
  return {
    accounts,
    opened,
    transactions: await toTransactions(tx, rows, accounts),
    burnt: await findBurnt(
      tx,
      recorded.filter((id) => !existing.has(id)),
    ),
    transfers: await findTransfers(tx, subjects.transfers),
  };
}

function namesOf({ accounts, recorded }: Subjects): readonly AccountName[] {
  const names = new Map(accounts.map((name) => [accountKey(name), name]));
  for (const { payer, provider, amount } of recorded) {
    if (payer === provider) continue;
    for (const owner of [payer, provider]) {
      const name = { owner, currency: amount.currency };
      names.set(accountKey(name), name);
    }
  }
  return [...names.values()];
}

async function write(
  tx: Tx,
  books: LockedBooks,
  { changed, account }: Draft,
  { now }: BatchStamp,
): Promise<void> {
  const accountOf = (owner: string, currency: string) => idOf(account({ owner, currency }));
  const before = new Map(books.transactions.map((row) => [row.id, row]));
  const saved = [...changed.transactions.values()];
  const touched = [...changed.accounts.values()];
  await updateAccounts(tx, touched);
  await saveTransactions(
    tx,
    {
      added: saved.filter(({ id }) => !before.has(id)),
      changed: saved.filter(({ id }) => before.has(id)),
    },
    accountOf,
  );
  await saveHolds(tx, saved, before);
  await saveDisputes(tx, saved, before);
  await saveDebts(tx, saved, before, accountOf, now);
  await insertTransfers(tx, changed.transfers, accountOf, now);
  await burn(tx, changed.burnt, now);
  const used = new Set([
    ...touched.map(({ id }) => id),
    ...saved.flatMap(({ payer, provider, amount: { currency } }) => [
      accountOf(payer, currency),
      accountOf(provider, currency),
    ]),
    ...changed.transfers.map(({ owner, currency }) => accountOf(owner, currency)),
  ]);
  await dropAccounts(
    tx,
    books.opened.filter((id) => !used.has(id)),
  );
}

/**
 * Whoever records the same for the same payer holds the lock on its account, which this batch has
 * now: what was recorded while it waited for that lock can be seen here.
 */
async function burn(tx: Tx, burnt: readonly Terms[], now: Date): Promise<void> {
  const recorded = await findRecorded(
    tx,
    burnt.map(({ id }) => id),
  );
  if (recorded.length > 0) throw new RecordedMeanwhile(`${recorded[0]} was recorded meanwhile`);
  await insertBurnt(tx, burnt, now);
}

function idOf(account: Account | undefined): bigint {
  if (account === undefined) throw new Error("a row names an account that is not locked");
  return account.id;
}
