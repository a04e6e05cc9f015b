import type { Transfer, TransferKind } from "./books.ts";
import type { StatementLine } from "./movement.ts";
import type { QueryOptions, TransactionCursor, TransactionFilter } from "./store.ts";
import type { Summary, SummaryCursor, SummaryQuery } from "./summary.ts";
import type { Transaction } from "./transaction.ts";

/** A transaction with its evidence and what its money did, both of one instant. */
export interface HistoryEntry {
  readonly transaction: Transaction;
  /** In order; at most the first 1,000. */
  readonly movements: readonly StatementLine[];
}

/** A stretch of a history. */
export interface HistoryPage {
  /** Those that pass the filter; perhaps none, though more come. */
  readonly entries: readonly HistoryEntry[];
  /** Where it goes on; undefined at its end. */
  readonly next: TransactionCursor | undefined;
}

/** A deposit, withdrawal or credit that was made. */
export interface TransferEntry extends Omit<Transfer, "burnt"> {
  readonly createdAt: Date;
}

/** Which of them to list; an absent field does not filter. */
export interface TransferFilter {
  readonly owner: string | undefined;
  readonly kind: TransferKind | undefined;
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

/** The sort key of a transfer in a list. */
export type TransferCursor = Pick<TransferEntry, "createdAt" | "kind" | "id">;

/** A place between two batches of the journal. */
export interface JournalPlace {
  /** Of the batch in front of it; 0 at the beginning. */
  readonly sequence: bigint;
  /** The hash of that batch, 32 bytes: it vouches for all that lies before. */
  readonly hash: Buffer;
}

/** What a stretch of the journal changed. */
export interface ChangePage {
  /** Where it begins and the place behind each of its batches. */
  readonly places: readonly JournalPlace[];
  /** Each transaction that was touched, once, as it stands by now, by the last batch that did. */
  readonly changes: readonly { readonly transaction: Transaction; readonly batch: bigint }[];
}

/** What is read of the books for people and other systems, beside what the books themselves need. */
export interface StatementStore {
  /** When the newest transaction was recorded; undefined when there is none. */
  newest(options: QueryOptions): Promise<Date | undefined>;
  /** Oldest first, behind `after`. */
  history(
    filter: TransactionFilter,
    after: TransactionCursor | undefined,
    options: QueryOptions,
  ): Promise<HistoryPage>;
  /** Oldest first. */
  transfers(
    filter: TransferFilter,
    after: TransferCursor | undefined,
    limit: number,
    options: QueryOptions,
  ): Promise<readonly TransferEntry[]>;
  /** A page of sums by key and currency. */
  summarize(
    query: SummaryQuery,
    after: SummaryCursor | undefined,
    limit: number,
    options: QueryOptions,
  ): Promise<readonly Summary[]>;
  /** Where the journal ends now. */
  journalEnd(): Promise<JournalPlace>;
  /** The place behind the batch of this sequence; undefined when there is none. */
  journalPlace(sequence: bigint): Promise<JournalPlace | undefined>;
  /** What was changed behind a place; as far as `until` or, when that is much, a part of it. */
  changesAfter(after: JournalPlace, until: JournalPlace): Promise<ChangePage>;
}
