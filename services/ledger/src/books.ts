import type { Rejection } from "@bourse/rpc/rejection";
import { type Account, type AccountName, accountKey } from "./account.ts";
import type { Movement } from "./movement.ts";
import type { Terms, Transaction, Vote } from "./transaction.ts";

/** What moves money without a hold. */
export type TransferKind = "DEPOSIT" | "WITHDRAWAL" | "CREDIT";

/**
 * The memory of a deposit, a withdrawal or a credit; `burnt` when it was refused for want of funds.
 */
export interface Transfer {
  readonly kind: TransferKind;
  /** The caller's id; unique in its kind. */
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  /** Micros; only a credit may be negative. */
  readonly amount: bigint;
  /** Of a credit; "" otherwise. */
  readonly taskId: string;
  readonly burnt: boolean;
}

/** The part of the books that commands are decided on: all that they may touch must be in it. */
export interface Books {
  account(name: AccountName): Account | undefined;
  accountById(id: bigint): Account | undefined;
  transaction(id: string): Transaction | undefined;
  /** The terms of a transaction that was refused for a passing cause. */
  burnt(id: string): Terms | undefined;
  /** The ids of the transactions that were recorded as one group, in the order of their ids. */
  group(id: string): readonly string[];
  /** Who recorded transactions of a group, as far as it is known; by the rules it is one. */
  groupRecorders(id: string): ReadonlySet<string>;
  transfer(kind: TransferKind, id: string): Transfer | undefined;
  debts(account: bigint): Debts;
}

/** What an account owes. */
export interface Debts {
  /** Of the transactions by which it owes, in their order, which for UUIDv7 is that of their age. */
  readonly ids: readonly string[];
  /** Beyond this id they were not read; undefined when all were. */
  readonly through: string | undefined;
}

/** Something new that others want to know of: logs, metrics, lineage. */
export type Happening =
  | { readonly kind: "transaction_recorded"; readonly transaction: Transaction }
  | { readonly kind: "transaction_settled"; readonly transaction: Transaction }
  | { readonly kind: "transaction_cancelled"; readonly transaction: Transaction }
  | { readonly kind: "transaction_disputed"; readonly transaction: Transaction }
  | { readonly kind: "delivery_recorded"; readonly transaction: Transaction }
  | { readonly kind: "evidence_submitted"; readonly transaction: Transaction; readonly nth: number }
  | {
      readonly kind: "vote_cast";
      /** A UUID: an arbitrator may vote again, also at the same instant. */
      readonly id: string;
      readonly transaction: Transaction;
      readonly vote: Vote;
    }
  | { readonly kind: "dispute_resolved"; readonly transaction: Transaction }
  | { readonly kind: "transfer_posted"; readonly transfer: Transfer }
  | {
      readonly kind: "credit_limit_set" | "account_status_set";
      /** A UUID: what is set may be set back. */
      readonly id: string;
      readonly account: Account;
    };

/** What a decision writes. Rows of the same key replace what was there; movements are added. */
export interface Changes {
  readonly accounts?: readonly Account[];
  readonly transactions?: readonly Transaction[];
  readonly movements?: readonly Movement[];
  readonly burnt?: readonly Terms[];
  readonly transfers?: readonly Transfer[];
  readonly happenings?: readonly Happening[];
}

/** What a command is answered with. */
export type Answer =
  | { readonly kind: "transaction"; readonly transaction: Transaction }
  | { readonly kind: "account"; readonly account: Account }
  | { readonly kind: "group"; readonly answers: readonly Answer[] }
  | { readonly kind: "refused"; readonly refusal: Rejection };

/** An answer and what it writes; also a refusal may write: an id that it burns. */
export interface Decision {
  readonly answer: Answer;
  readonly changes: Changes;
}

/** What decisions need from outside: the time, and ids (UUIDv7) for movements. */
export interface Stamp {
  readonly now: Date;
  readonly newId: () => string;
}

/** A refusal as a decision. */
export function refused(refusal: Rejection, changes: Changes = {}): Decision {
  return { answer: { kind: "refused", refusal }, changes };
}

/** A transaction as an answer. */
export function answered(transaction: Transaction, changes: Changes = {}): Decision {
  return { answer: { kind: "transaction", transaction }, changes };
}

/** An account as an answer. */
export function answeredAccount(account: Account, changes: Changes = {}): Decision {
  return { answer: { kind: "account", account }, changes };
}

/** The books were read without a row that a decision needs. */
export class MissingRow extends Error {
  override readonly name = "MissingRow";
}

/** The value, which the books must hold. Throws MissingRow when they do not. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new MissingRow("the books were read without a row they need");
  return value;
}

/** A part of the books in memory, which takes in each decision before the next is made. */
export interface Draft extends Books {
  apply(changes: Changes): void;
  /** All rows that were changed, as they are now, and what was added, in order. */
  readonly changed: {
    /** By id. */
    accounts(): ReadonlyMap<bigint, Account>;
    readonly transactions: ReadonlyMap<string, Transaction>;
    readonly movements: readonly Movement[];
    readonly burnt: ReadonlyMap<string, Terms>;
    /** By `transferKey`. */
    readonly transfers: ReadonlyMap<string, Transfer>;
    readonly happenings: readonly Happening[];
  };
}

/** Opens a draft on rows as they were read under lock. */
export function openDraft(rows: {
  readonly accounts: readonly Account[];
  readonly transactions: readonly Transaction[];
  readonly burnt: readonly Terms[];
  readonly transfers: readonly Transfer[];
  /** Of groups that are recorded into. */
  readonly recorders?: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of accounts whose debts were read. */
  readonly debts?: ReadonlyMap<bigint, Debts>;
}): Draft {
  const accounts = new Map(rows.accounts.map((account) => [accountKey(account), account]));
  const ids = new Map(rows.accounts.map((account) => [account.id, account]));
  const owing = new Set(rows.accounts.filter(({ owed }) => owed > 0n).map(({ id }) => id));
  const transactions = new Map(rows.transactions.map((row) => [row.id, row]));
  const groups = new Map<string, string[]>();
  for (const row of rows.transactions) addToGroup(groups, row);
  const burnt = new Map(rows.burnt.map((terms) => [terms.id, terms]));
  const transfers = new Map(rows.transfers.map((row) => [transferKey(row.kind, row.id), row]));
  return draftOn({
    account: (name) => accounts.get(accountKey(name)),
    accountById: (id) => ids.get(id),
    transaction: (id) => transactions.get(id),
    burnt: (id) => burnt.get(id),
    group: (id) => groups.get(id) ?? [],
    groupRecorders: (id) => rows.recorders?.get(id) ?? NOBODY,
    transfer: (kind, id) => transfers.get(transferKey(kind, id)),
    debts: (id) => rows.debts?.get(id) ?? { ids: [], through: owing.has(id) ? "" : undefined },
  });
}

/** The accounts of a draft. */
export interface Sheet extends Pick<Books, "account" | "accountById"> {
  /** Puts an account in the place of what it was. */
  put(account: Account): void;
  /** Those that were put, by id. */
  changed(): ReadonlyMap<bigint, Account>;
}

/**
 * Opens a draft on other books, which stay as they are until they apply its `changed`. Who keeps
 * accounts may bring a sheet of its own.
 */
export function draftOn(books: Books, sheet: Sheet = sheetOn(books)): Draft {
  const transactions = new Map<string, Transaction>();
  const groups = new Map<string, string[]>();
  const recorders = new Map<string, Set<string>>();
  const burnt = new Map<string, Terms>();
  const transfers = new Map<string, Transfer>();
  const movements: Movement[] = [];
  const happenings: Happening[] = [];
  const { account, accountById } = sheet;
  return {
    // No accessors: in an object that is made for each batch they would keep the batch until a large collection.
    changed: {
      accounts: () => sheet.changed(),
      transactions,
      movements,
      burnt,
      transfers,
      happenings,
    },
    account,
    accountById,
    transaction: (id) => transactions.get(id) ?? books.transaction(id),
    burnt: (id) => burnt.get(id) ?? books.burnt(id),
    group: (id) => [...new Set([...books.group(id), ...(groups.get(id) ?? [])])].sort(),
    groupRecorders: (id) => new Set([...books.groupRecorders(id), ...(recorders.get(id) ?? [])]),
    transfer: (kind, id) => transfers.get(transferKey(kind, id)) ?? books.transfer(kind, id),
    debts(id) {
      const added = [...transactions.values()].filter(
        ({ provider, amount: { currency }, owed }) =>
          owed > 0n && account({ owner: provider, currency })?.id === id,
      );
      const { ids, through } = books.debts(id);
      const all = [...new Set([...ids, ...added.map((row) => row.id)])].sort();
      return { ids: all.filter((each) => through === undefined || each <= through), through };
    },
    apply(changes) {
      for (const row of changes.accounts ?? []) sheet.put(row);
      for (const row of changes.transactions ?? []) {
        transactions.set(row.id, row);
        addToGroup(groups, row);
        addRecorder(recorders, row);
      }
      for (const row of changes.movements ?? []) movements.push(row);
      for (const terms of changes.burnt ?? []) burnt.set(terms.id, terms);
      for (const row of changes.transfers ?? []) transfers.set(transferKey(row.kind, row.id), row);
      for (const happening of changes.happenings ?? []) happenings.push(happening);
    },
  };
}

function sheetOn(books: Books): Sheet {
  const changed = new Map<bigint, Account>();
  const newest = (found: Account | undefined) => found && (changed.get(found.id) ?? found);
  return {
    changed: () => changed,
    account: (name) => newest(books.account(name)),
    accountById: (id) => newest(books.accountById(id)),
    put: (account) => void changed.set(account.id, account),
  };
}

function addToGroup(groups: Map<string, string[]>, { id, groupId }: Terms): void {
  if (groupId === undefined) return;
  const members = groups.get(groupId) ?? [];
  if (!members.includes(id)) members.push(id);
  groups.set(groupId, members);
}

/** Notes who recorded a transaction, when that is of a group. */
export function addRecorder(
  recorders: Map<string, Set<string>>,
  { groupId, recorder }: Pick<Terms, "groupId" | "recorder">,
): void {
  if (groupId === undefined) return;
  recorders.set(groupId, (recorders.get(groupId) ?? new Set()).add(recorder));
}

const NOBODY: ReadonlySet<string> = new Set();

/** A text that two transfers share only when they are the same. */
export function transferKey(kind: TransferKind, id: string): string {
  return `${kind} ${id}`;
}
