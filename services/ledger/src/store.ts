import type { Tx } from "@bourse/postgres";
import type { Account, AccountName } from "./account.ts";
import type { Answer, Happening } from "./books.ts";
import type { Broken } from "./chain-fault.ts";
import type { Command } from "./command.ts";
import type { Head } from "./journal.ts";
import type { LineageEvent, NewEvent } from "./lineage.ts";
import type { StatementLine } from "./movement.ts";
import type { Period, Tallies } from "./report/report.ts";
import type { Dispute, Transaction, TransactionState } from "./transaction.ts";

/** A batch that was committed. */
export interface Commit {
  /** One for each command, in order. */
  readonly answers: readonly Answer[];
  /** What is new since. */
  readonly happenings: readonly Happening[];
}

/** A place where the books contradict themselves. */
export interface Divergence {
  readonly check: string;
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
}

/** What a verification looked at and found. */
export interface BooksReport {
  readonly accounts: bigint;
  readonly movements: bigint;
  readonly transactions: bigint;
  /** The first of each check first. */
  readonly divergences: readonly Divergence[];
}

/** Which transactions to list; an absent field does not filter. */
export interface TransactionFilter {
  readonly agent: string | undefined;
  readonly role: "payer" | "provider" | undefined;
  readonly state: TransactionState | undefined;
  readonly capability: string | undefined;
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

/** Which disputes to list; an absent field does not filter. */
export interface DisputeFilter {
  /** A party or an arbitrator. */
  readonly agent: string | undefined;
  readonly isOpen: boolean | undefined;
  /** Only open ones that a rule ends before this time. */
  readonly dueBefore: Date | undefined;
}

/** A dispute as it is listed, without what was said in it. */
export interface DisputeEntry extends Omit<Dispute, "evidence" | "votes"> {
  readonly transactionId: string;
  readonly payer: string;
  readonly provider: string;
  readonly currency: string;
  readonly evidenceCount: number;
}

/** The sort key of a dispute in a list. */
export interface DisputeCursor {
  readonly flaggedAt: Date;
  readonly transactionId: string;
}

/** The sort key of a transaction in a list. */
export interface TransactionCursor {
  readonly createdAt: Date;
  readonly id: string;
}

/** A stretch of a list of transactions. */
export interface TransactionPage {
  /** Those that pass the filter; perhaps none, though more come. */
  readonly transactions: readonly Transaction[];
  /** Where the list goes on; undefined at its end. */
  readonly next: TransactionCursor | undefined;
}

/**
 * How a batch was decided: from memory, under lock, or only read since it changed nothing. A stale one was decided from
 * memory, did nothing, and is decided again under lock.
 */
export type Road = "memory" | "stale" | "lock" | "read";

/** How a query is run: aborting cancels it. */
export interface QueryOptions {
  readonly signal?: AbortSignal;
}

/** The books. */
export interface LedgerStore {
  /**
   * Decides commands in order and writes what they change in one database transaction; answers when
   * that is durable. Any number of processes may commit at once.
   */
  commit(commands: readonly Command[]): Promise<Commit>;
  /**
   * Whether commands may be no new ones: `answerUnchanging` first then keeps them from slowing those of others.
   */
  looksRepeated(commands: readonly Command[]): boolean;
  /** Answers each of these parcels that changes nothing, at one instant; undefined for the others. */
  answerUnchanging(
    parcels: readonly (readonly Command[])[],
  ): Promise<readonly (readonly Answer[] | undefined)[]>;
  /**
   * The same within a unit of work, all of whose writes in `tx` become durable together or not at
   * all.
   */
  write<T>(
    work: (tx: Tx, commit: (commands: readonly Command[]) => Promise<Commit>) => Promise<T>,
    options: QueryOptions,
  ): Promise<T>;
  /** The transaction with its movements in order, both of one instant. */
  findTransaction(
    id: string,
    options: QueryOptions,
  ): Promise<{ transaction: Transaction; movements: readonly StatementLine[] } | undefined>;
  /** Newest first; without their evidence. */
  listTransactions(
    filter: TransactionFilter,
    after: TransactionCursor | undefined,
    limit: number,
    options: QueryOptions,
  ): Promise<TransactionPage>;
  /** Newest first. */
  listDisputes(
    filter: DisputeFilter,
    after: DisputeCursor | undefined,
    limit: number,
    options: QueryOptions,
  ): Promise<readonly DisputeEntry[]>;
  /** The ids of open transactions for which a rule is due at `now`, longest due first. */
  dueTransactions(now: Date, limit: number, options: QueryOptions): Promise<readonly string[]>;
  /** An owner's accounts by currency and its open holds, oldest first, both of one instant. */
  balances(
    owner: string,
    options: QueryOptions & { readonly holdsMax: number },
  ): Promise<{ accounts: readonly Account[]; openHolds: readonly StatementLine[] }>;
  /** By owner and currency. */
  listAccounts(
    currency: string | undefined,
    after: AccountName | undefined,
    limit: number,
    options: QueryOptions,
  ): Promise<readonly Account[]>;
  /** Checks the books on one snapshot; they go on meanwhile. */
  verify(options: QueryOptions & { readonly divergencesMax: number }): Promise<BooksReport>;
  /**
   * Puts an alias in the place of an agent's id, in slices; safe to repeat.
   * @throws Rejection ACCOUNT_NOT_EMPTY, AGENT_HAS_OPEN_TRANSACTIONS; then nothing has changed
   */
  erase(agentId: string, alias: string, options: QueryOptions): Promise<void>;
  /** How many transactions have their money held or disputed now. */
  countOpen(): Promise<{ readonly openHolds: number; readonly disputed: number }>;
}

/** Which events to list; an absent field does not filter. */
export interface EventFilter {
  readonly types: readonly string[];
  readonly subject: string | undefined;
  readonly taskId: string | undefined;
  readonly source: string | undefined;
  readonly from: Date;
  readonly until: Date | undefined;
}

/** What a verification of the journal found. */
export interface ChainReport {
  /** Movements and events of the batches that hold. */
  readonly entries: bigint;
  /** The last batch that holds. */
  readonly head: Pick<Head, "sequence" | "hash">;
  /** The first batch that does not, and the movement or event at fault, "" when none is known. */
  readonly broken: (Broken & { readonly sequence: bigint }) | undefined;
}

/** The record. */
export interface LineageStore {
  /**
   * Appends all events or none; those on the record already are skipped.
   * @throws Rejection EVENT_ID_REUSED when one is there with other content
   */
  append(source: string, events: readonly NewEvent[], options: QueryOptions): Promise<Head>;
  /** In the order of the chain. */
  query(
    filter: EventFilter,
    after: bigint,
    limit: number,
    options: QueryOptions,
  ): Promise<readonly LineageEvent[]>;
  /** Counts the events of a period, all at one instant. */
  tally(period: Period, options: QueryOptions): Promise<Tallies>;
  /** Recomputes the journal of one snapshot from its first batch. */
  verifyChain(options: QueryOptions): Promise<ChainReport>;
}
