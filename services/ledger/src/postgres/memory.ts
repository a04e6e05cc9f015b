import { SlotMap } from "@bourse/rpc/slots";
import type { Account, AccountName } from "../account.ts";
import { type Books, MissingRow, type Sheet, transferKey } from "../books.ts";
import type { Transaction } from "../transaction.ts";
import {
  type Entry,
  entryOf,
  isSameRow,
  isWritten,
  type LookedAccount,
  type StampedAccount,
  takeIn,
} from "./account-entry.ts";
import { createScales } from "./scales.ts";

/** What was read of the books. */
export interface Findings {
  readonly accounts: readonly StampedAccount[];
  /** How many closings the journal counted then; undefined when no account was read. */
  readonly closings: bigint | undefined;
}

/** What a decision looked at. */
export interface Looked {
  /** Those whose rows are to be as memory knows them, each once. */
  accounts(): readonly LookedAccount[];
  /** How many closings the journal is to count still; undefined when memory knows no account. */
  readonly closings: bigint | undefined;
  readonly transactions: ReadonlyMap<string, Transaction>;
  /** Ids of transactions that are taken not to exist. */
  readonly absent: ReadonlySet<string>;
  /** Keys of deposits, withdrawals and credits that are taken to be new. */
  readonly newTransfers: ReadonlySet<string>;
  /** The account that memory does not know and for which the decision was given up. */
  readonly unknown: readonly AccountName[];
}

/** A decision on what memory knows. */
export interface Watch {
  /** The books as they are, which note what of them is looked at; and the draft of their accounts. */
  readonly books: Books;
  readonly sheet: Sheet;
  readonly looked: Looked;
  /** Has all accounts checked that were looked at: what was refused went by how they are. */
  relyOnAll(): void;
  /**
   * Takes in what was decided, before it is written: the next batch is decided on that. To be called
   * before another watch is opened.
   */
  stage(transactions: Iterable<Transaction>, stamp: bigint): void;
}

/**
 * What this process knows of the books from its last batches. Others may have changed them since:
 * who decides on it has to check, when writing, that all it looked at still stands.
 */
export interface Memory {
  watch(): Watch;
  knows(name: AccountName): boolean;
  knowsTransaction(id: string): boolean;
  /** Takes in what was read and is not known yet. */
  learn(found: Findings, transactions: Iterable<Transaction>): void;
  /** Takes in what was written otherwise, in the place of what was known. */
  put(written: Findings, transactions: Iterable<Transaction>): void;
  /** Drops transactions that are changed elsewhere. */
  forget(transactionIds: readonly string[]): void;
  clear(): void;
}

/**
 * Starts with nothing; keeps at most so many accounts, some 480 bytes each, and pending transactions, the
 * newest, some 1,240 bytes each and what was agreed on them: of that, at most so many bytes by estimate.
 */
export function createMemory(
  most = { accounts: 500_000, transactions: 100_000, agreedBytes: 128 * 1024 * 1024 },
): Memory {
  // By currency and owner, since to join the two to one text for each look would cost more than all
  // else that memory does.
  const entries = new Map<string, Map<string, Entry>>();
  const byId = new Map<bigint, Entry>();
  const transactions = new SlotMap<string, Transaction>();
  const agreed = createScales();
  let closings: bigint | undefined;

  /** Who was closed since is not told: what was known may be closed too. */
  function keepUpWith(counted: bigint | undefined): void {
    if (counted === closings || counted === undefined) return;
    clear();
    closings = counted;
  }

  function clear(): void {
    entries.clear();
    byId.clear();
    transactions.clear();
    agreed.clear();
    closings = undefined;
  }

  function learnAccount({ account, stamp }: StampedAccount): void {
    const { id, owner, currency } = account;
    // What is known is newer: it was staged while this was being read.
    if (byId.has(id)) return;
    const entry = entryOf({ account, stamp });
    const owners = entries.get(currency) ?? new Map<string, Entry>();
    entries.set(currency, owners.set(owner, entry));
    byId.set(id, entry);
    for (const [oldest, old] of byId) {
      if (byId.size <= most.accounts) break;
      byId.delete(oldest);
      entries.get(old.account.currency)?.delete(old.account.owner);
    }
  }

  function keepTransaction(transaction: Transaction): void {
    // What has ended is seldom asked for again.
    if (transaction.state !== "PENDING") {
      dropTransaction(transaction.id);
      return;
    }
    transactions.set(transaction.id, transaction);
    agreed.weigh(transaction);
    for (const oldest of transactions.keys()) {
      if (transactions.size <= most.transactions && agreed.bytes <= most.agreedBytes) break;
      dropTransaction(oldest);
    }
  }

  function dropTransaction(id: string): void {
    transactions.delete(id);
    agreed.forget(id);
  }

  return {
    knows: ({ owner, currency }) => entries.get(currency)?.has(owner) === true,
    knowsTransaction: (id) => transactions.has(id),
    watch: () => watched({ entries, byId, transactions, closings }, keepTransaction),
    learn(found, pending) {
      keepUpWith(found.closings);
      for (const stamped of found.accounts) learnAccount(stamped);
      for (const transaction of pending) {
        if (!transactions.has(transaction.id)) keepTransaction(transaction);
      }
    },
    put(written, changed) {
      keepUpWith(written.closings);
      for (const stamped of written.accounts) {
        const known = byId.get(stamped.account.id);
        if (known !== undefined) Object.assign(known, entryOf(stamped));
        else if (written.closings !== undefined) learnAccount(stamped);
      }
      for (const transaction of changed) keepTransaction(transaction);
    },
    forget(transactionIds) {
      for (const id of transactionIds) dropTransaction(id);
    },
    clear,
  };
}

const NOBODY: ReadonlySet<string> = new Set();

function watched(
  known: {
    readonly entries: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
    readonly byId: ReadonlyMap<bigint, Entry>;
    readonly transactions: Pick<SlotMap<string, Transaction>, "get">;
    readonly closings: bigint | undefined;
  },
  keepTransaction: (transaction: Transaction) => void,
): Watch {
  const accounts: Entry[] = [];
  const transactions = new Map<string, Transaction>();
  const absent = new Set<string>();
  const newTransfers = new Set<string>();
  const unknown: AccountName[] = [];
  let lastId = "";
  let last: Transaction | undefined;
  // What is changed is nearly always one of the two that were looked at last.
  let newest: Entry | undefined;
  let second: Entry | undefined;
  const look = (entry: Entry): Account => {
    if (entry !== newest) {
      second = newest;
      newest = entry;
    }
    if (entry.noted !== accounts) {
      entry.noted = accounts;
      entry.draft = entry.account;
      entry.part = "looked at";
      accounts.push(entry);
    }
    return entry.draft;
  };
  const lookedAt = (id: bigint): Entry | undefined => {
    if (newest?.draft.id === id) return newest;
    return second?.draft.id === id ? second : known.byId.get(id);
  };
  const sheet: Sheet = {
    account(name) {
      const found = known.entries.get(name.currency)?.get(name.owner);
      if (found !== undefined) return look(found);
      unknown.push(name);
      // All that would be decided after it is decided again, or under lock.
      throw new MissingRow("an account is not in memory");
    },
    accountById(id) {
      const found = known.byId.get(id);
      return found && look(found);
    },
    put(account) {
      const found = lookedAt(account.id);
      // What is changed was looked at.
      if (found?.noted !== accounts) throw new MissingRow("an account changes unseen");
      if (!isSameRow(found.draft, account)) found.part = "changed";
      else if (found.part === "looked at") found.part = "promised";
      found.draft = account;
    },
    changed() {
      const changed = accounts.filter(({ account, draft }) => draft !== account);
      return new Map(changed.map(({ draft }) => [draft.id, draft]));
    },
  };
  const { account, accountById } = sheet;
  return {
    looked: {
      ...{ closings: known.closings, transactions, absent, newTransfers, unknown },
      accounts: () => accounts.filter(isWritten),
    },
    sheet,
    relyOnAll() {
      for (const entry of accounts) entry.part = "changed";
    },
    books: {
      account,
      accountById,
      transaction(id) {
        // Each command looks at its own twice.
        if (id === lastId) return last;
        lastId = id;
        last = known.transactions.get(id);
        if (last === undefined) absent.add(id);
        else transactions.set(id, last);
        return last;
      },
      burnt(id) {
        if (id !== lastId || last !== undefined) absent.add(id);
        return undefined;
      },
      // One that was asked for before has its key, which the insert runs into.
      transfer: (kind, id) => void newTransfers.add(transferKey(kind, id)),
      group: () => [],
      // The statement asks whether it is another's.
      groupRecorders: () => NOBODY,
      debts: () => ({ ids: [], through: "" }),
    },
    stage(changed, stamp) {
      for (const entry of accounts) {
        takeIn(entry);
        if (isWritten(entry)) entry.stamp = stamp;
      }
      for (const transaction of changed) keepTransaction(transaction);
    },
  };
}
