import { type Tx, violated } from "@bourse/postgres";
import { type Account, type AccountName, accountKey } from "../account.ts";
import { type Debts, type Draft, openDraft, type Stamp } from "../books.ts";
import { type Command, play, type Subjects, subjectsOf } from "../command.ts";
import { eventOf } from "../lineage.ts";
import type { Commit } from "../store.ts";
import { partyNames, type Terms, type Transaction } from "../transaction.ts";
import {
  dropAccounts,
  findAccountIds,
  lockAccounts,
  openAccounts,
  updateAccounts,
  withHolds,
} from "./accounts.ts";
import { findBurnt, findUsed, insertBurnt } from "./burnt.ts";
import { isMisfiled } from "./chapters.ts";
import { type Debtors, findDebts, saveDebts } from "./debts.ts";
import { saveDisputes } from "./disputes.ts";
import { findOtherRecorders } from "./groups.ts";
import { saveHolds } from "./holds.ts";
import { writeBatch } from "./journal.ts";
import type { Findings } from "./memory.ts";
import { findGroups, lockTransactions, saveTransactions, toTransactions } from "./transactions.ts";
import { findTransfers, insertTransfers } from "./transfers.ts";

/** What a batch is decided with. */
export interface BatchStamp extends Stamp {
  readonly newPseudonym: () => string;
  /** Draws the stamp of changed accounts: 64 random bits. */
  readonly newStamp: () => bigint;
}

/** What of the books is read beyond what commands name. */
export interface Reach {
  /** The first debts of these accounts, with all that paying them touches. */
  readonly debtors: Debtors;
  readonly holdsOf: Parameters<typeof lockAccounts>[2];
}

/** A batch that was decided under lock, and what it wrote, for those who remember the books. */
export interface LockedCommit extends Commit {
  readonly written: Findings & { readonly transactions: readonly Transaction[] };
}

/** An account was renamed before it was locked: the batch has to be decided anew. */
class RenamedAccount extends Error {
  override readonly name = "RenamedAccount";
}

const RACED: ReadonlySet<string> = new Set([
  "transactions_pkey",
  "burnt_transactions_pkey",
  "transfers_pkey",
]);

/**
 * Another process has recorded what this one was about to burn, or the other way round, or into its group, or has begun
 * a chapter.
 */
class Overtaken extends Error {
  override readonly name = "Overtaken";
}

/** A debt was made while the others of its debtor were being locked. */
class StaleDebts extends Error {
  override readonly name = "StaleDebts";
}

/**
 * Whether a failed batch only lost a race for an id, or a debt, against another process, and will
 * know better when run again.
 */
export function lostRace(error: unknown): boolean {
  const stale =
    error instanceof StaleDebts || error instanceof Overtaken || error instanceof RenamedAccount;
  return stale || RACED.has(violated(error) ?? "");
}

/**
 * Decides commands in order and writes what they change, within the caller's database transaction.
 * Locks: transactions by id, then accounts by id, then the head of the journal; every writer takes
 * them in this order.
 * @throws DebtsUnread when debts are to be paid that were not read
 * @throws HoldsUnread when it matters what open holds of an account come to that were not read
 */
export async function commitIn(
  tx: Tx,
  commands: readonly Command[],
  stamp: BatchStamp,
  { debtors, holdsOf }: Reach,
): Promise<LockedCommit> {
  const subjects = subjectsOf(commands);
  const books = await lockBooks(tx, subjects, { debtors, holdsOf }, stamp.now);
  const draft = openDraft(books);
  const answers = play(draft, commands, stamp);
  const mark = stamp.newStamp();
  await write(tx, books, draft, { ...stamp, mark });
  await dropUnused(tx, books, draft);
  const { happenings, movements, burnt } = draft.changed;
  const events = happenings.flatMap((happening) => eventOf(happening, stamp.now) ?? []);
  let closings: bigint | undefined;
  if (movements.length > 0 || events.length > 0 || burnt.size > 0) {
    ({ closings } = await writeBatch(tx, { movements, events, source: "ledger" }, stamp));
    await rejectOvertaken(tx, books, draft);
  }
  const accounts = [...draft.changed.accounts().values()];
  const written = {
    accounts: accounts.map((account) => ({ account, stamp: mark })),
    // One more with each account that is closed here.
    closings: accounts.some(({ status }) => status === "CLOSED") ? undefined : closings,
    transactions: [...draft.changed.transactions.values()],
  };
  return { answers: await withHolds(tx, answers), happenings, written };
}

/**
 * Two payers may use one id at the same instant, one to record and one to burn it, and hold no lock in
 * common until both have that on the head of the journal: the second sees what the first has committed. Nor has
 * whoever begins a chapter.
 */
async function rejectOvertaken(tx: Tx, books: LockedBooks, { changed }: Draft): Promise<void> {
  const known = new Set(books.transactions.map(({ id }) => id));
  const recorded = [...changed.transactions.values()].filter(({ id }) => !known.has(id));
  const used = await findUsed(tx, { recorded: idsIn(recorded), burnt: [...changed.burnt.keys()] });
  if (used !== undefined) throw new Overtaken(`${used} was used meanwhile`);
  const [group] = (await findOtherRecorders(tx, recorded)).keys();
  if (group !== undefined) throw new Overtaken(`group ${group} is another's by now`);
  if (await isMisfiled(tx, idsIn(recorded))) throw new Overtaken("a chapter has begun meanwhile");
}

function idsIn(terms: readonly Terms[]): readonly string[] {
  return terms.map(({ id }) => id);
}

/** The rows that commands may touch, locked. */
interface LockedBooks {
  readonly accounts: readonly Account[];
  /** Ids of those accounts that were not there before. */
  readonly opened: readonly bigint[];
  readonly transactions: readonly Transaction[];
  readonly burnt: readonly Terms[];
  readonly transfers: Awaited<ReturnType<typeof findTransfers>>;
  readonly recorders: Awaited<ReturnType<typeof findOtherRecorders>>;
  readonly debts: ReadonlyMap<bigint, Debts>;
}

async function lockBooks(
  tx: Tx,
  subjects: Subjects,
  { debtors, holdsOf }: Reach,
  now: Date,
): Promise<LockedBooks> {
  const recorded = subjects.recorded.map(({ id }) => id);
  const members = await findGroups(tx, subjects.groups);
  const owing = [...(await findDebts(tx, debtors)).values()].flatMap((debts) => debts.ids);
  const ids = [...new Set([...subjects.transactions, ...recorded, ...members, ...owing])];
  const rows = await lockTransactions(tx, ids);
  const names = namesOf(subjects);
  const { found, opened } = await idsOf(tx, names, now);
  const parties = rows.flatMap((row) => [BigInt(row.payer_account), BigInt(row.provider_account)]);
  const accounts = await lockAccounts(tx, new Set([...found, ...parties]), holdsOf);
  rejectRenamed(names, accounts);
  const existing = new Set(rows.map(({ id }) => id));
  // Again, now that nobody else can add to them.
  const debts = await findDebts(tx, debtors);
  if ([...debts.values()].some(({ ids }) => ids.some((id) => !existing.has(id)))) {
    throw new StaleDebts("a debt was made while the others were being locked");
  }
  return {
    accounts,
    opened,
    transactions: await toTransactions(tx, rows, accounts),
    burnt: await findBurnt(
      tx,
      recorded.filter((id) => !existing.has(id)),
    ),
    transfers: await findTransfers(tx, subjects.transfers),
    recorders: await findOtherRecorders(tx, subjects.recorded),
    debts,
  };
}

/** The ids of the accounts of these names, which are opened when they are missing. */
async function idsOf(tx: Tx, names: readonly AccountName[], now: Date) {
  const there = await findAccountIds(tx, names);
  if (there.length === names.length) return { found: there, opened: [] };
  const opened = await openAccounts(tx, names, now);
  return { found: await findAccountIds(tx, names), opened };
}

function rejectRenamed(names: readonly AccountName[], accounts: readonly Account[]): void {
  const locked = new Set(accounts.map(accountKey));
  if (names.every((name) => locked.has(accountKey(name)))) return;
  throw new RenamedAccount("an account has another name by now");
}

function namesOf({ accounts, recorded }: Subjects): readonly AccountName[] {
  const parties = recorded.filter(({ payer, provider }) => payer !== provider).flatMap(partyNames);
  return [...new Map([...accounts, ...parties].map((name) => [accountKey(name), name])).values()];
}

async function write(
  tx: Tx,
  books: LockedBooks,
  { changed, account }: Draft,
  { now, mark }: Stamp & { readonly mark: bigint },
): Promise<void> {
  const accountOf = (owner: string, currency: string) => idOf(account({ owner, currency }));
  const before = new Map(books.transactions.map((row) => [row.id, row]));
  const saved = [...changed.transactions.values()];
  await updateAccounts(tx, [...changed.accounts().values()], mark);
  await saveTransactions(
    tx,
    {
      added: saved.filter(({ id }) => !before.has(id)),
      changed: saved.filter(({ id }) => before.has(id)),
    },
    accountOf,
  );
  await saveHolds(tx, saved, before, accountOf);
  await saveDisputes(tx, saved, before, accountOf);
  await saveDebts(tx, saved, before, accountOf, now);
  await insertTransfers(tx, [...changed.transfers.values()], accountOf, now);
  await insertBurnt(tx, [...changed.burnt.values()], now);
}

/** Drops accounts that were opened for nothing. */
async function dropUnused(
  tx: Tx,
  { accounts, opened }: LockedBooks,
  { changed }: Draft,
): Promise<void> {
  if (opened.length === 0) return;
  const used = new Set(changed.accounts().keys());
  const parties = [...changed.transactions.values()].flatMap(partyNames);
  const named = new Set([...changed.transfers.values(), ...parties].map(accountKey));
  const fresh = new Set(opened);
  const isKept = (account: Account) =>
    !fresh.has(account.id) || used.has(account.id) || named.has(accountKey(account));
  const unused = accounts.filter((account) => !isKept(account));
  await dropAccounts(
    tx,
    unused.map(({ id }) => id),
  );
}

function idOf(account: Account | undefined): bigint {
  if (account === undefined) throw new Error("a row names an account that is not locked");
  return account.id;
}
