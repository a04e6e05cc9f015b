import type { StatementLine } from "./movement.ts";
import type { QueryOptions, TransactionCursor, TransactionFilter } from "./store.ts";
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
}
