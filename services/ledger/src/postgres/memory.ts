import type { Account, AccountName } from "../account.ts";
import { type Books, type Draft, transferKey } from "../books.ts";
import type { Transaction } from "../transaction.ts";

/** An account as it was read or written, and the stamp that its row had then. */
export interface StampedAccount {
  readonly account: Account;
  readonly stamp: bigint;
}

/** An account in memory; it changes in place, for it is looked at several times in each payment. */
interface Entry {
  account: Account;
  stamp: bigint;
  /** The list of the last decision that looked at it. */
  noted: readonly StampedAccount[] | undefined;
}

/** What a decision looked at. */
export interface Looked {
  /** Each once, as it was then. */
  readonly accounts: readonly StampedAccount[];
  readonly transactions: ReadonlyMap<string, Transaction>;
  /** Ids of transactions that are taken not to exist. */
  readonly absent: ReadonlySet<string>;
  /** Keys of deposits, withdrawals and credits that are taken to be new. */
  readonly newTransfers: ReadonlySet<string>;
  /** Accounts that memory does not know. */
  readonly unknown: readonly AccountName[];
}

/**
 * What this process knows of the books from its last batches. Others may have changed them since:
 * who decides on it has to check, when writing, that all it looked at still stands.
 */
export interface Memory {
  /** Opens books that note what of them is looked at. */
  watch(): { readonly books: Books; readonly looked: Looked };
  knows(name: AccountName): boolean;
  knowsTransaction(id: string): boolean;
  /** Takes in what was read and is not known yet. */
  learn(accounts: Iterable<StampedAccount>, transactions: Iterable<Transaction>): void;
  /** Takes in what a batch changes, before it is written: the next is decided on that. */
  stage(changed: Draft["changed"], stamp: bigint): void;
  /** Drops transactions that are changed elsewhere. */
  forget(transactionIds: readonly string[]): void;
  clear(): void;
}

/** Starts with nothing; keeps at most so many accounts, and pending transactions, the newest. */
export function createMemory(most = { accounts: 500_000, transactions: 100_000 }): Memory {
  // By currency and owner, since to join the two to one text for each look would cost more than all
  // else that memory does.
  const entries = new Map<string, Map<string, Entry>>();
  const byId = new Map<bigint, Entry>();
  const transactions = new Map<string, Transaction>();

  function learnAccount({ account, stamp }: StampedAccount): void {
    const { id, owner, currency } = account;
    // What is known is newer: it was staged while this was being read.
    if (byId.has(id)) return;
    const entry = { account, stamp, noted: undefined };
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
    if (transaction.state === "PENDING") transactions.set(transaction.id, transaction);
    else transactions.delete(transaction.id);
    for (const oldest of transactions.keys()) {
      if (transactions.size <= most.transactions) break;
      transactions.delete(oldest);
    }
  }

  return {
    knows: ({ owner, currency }) => entries.get(currency)?.has(owner) === true,
    knowsTransaction: (id) => transactions.has(id),
    watch: () => watched({ entries, byId, transactions }),
    learn(learnt, pending) {
      for (const stamped of learnt) learnAccount(stamped);
      for (const transaction of pending) {
        if (!transactions.has(transaction.id)) keepTransaction(transaction);
      }
    },
    stage(changed, stamp) {
      for (const [id, account] of changed.accounts) {
        const entry = byId.get(id);
        if (entry !== undefined) Object.assign(entry, { account, stamp });
      }
      for (const transaction of changed.transactions.values()) keepTransaction(transaction);
    },
    forget(transactionIds) {
      for (const id of transactionIds) transactions.delete(id);
    },
    clear() {
      entries.clear();
      byId.clear();
      transactions.clear();
    },
  };
}

function watched(known: {
  readonly entries: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  readonly byId: ReadonlyMap<bigint, Entry>;
  readonly transactions: ReadonlyMap<string, Transaction>;
}): { readonly books: Books; readonly looked: Looked } {
  const accounts: StampedAccount[] = [];
  const transactions = new Map<string, Transaction>();
  const absent = new Set<string>();
  const newTransfers = new Set<string>();
  const unknown: AccountName[] = [];
  const look = (entry: Entry | undefined): Account | undefined => {
    if (entry !== undefined && entry.noted !== accounts) {
      entry.noted = accounts;
      accounts.push({ account: entry.account, stamp: entry.stamp });
    }
    return entry?.account;
  };
  return {
    looked: { accounts, transactions, absent, newTransfers, unknown },
    books: {
      account(name) {
        const found = look(known.entries.get(name.currency)?.get(name.owner));
        if (found === undefined) unknown.push(name);
        return found;
      },
      accountById: (id) => look(known.byId.get(id)),
      transaction(id) {
        const found = known.transactions.get(id);
        if (found === undefined) absent.add(id);
        else transactions.set(id, found);
        return found;
      },
      burnt: (id) => void absent.add(id),
      // One that was asked for before has its key, which the insert runs into.
      transfer: (kind, id) => void newTransfers.add(transferKey(kind, id)),
      group: () => [],
      debts: () => ({ ids: [], through: "" }),
    },
  };
}
