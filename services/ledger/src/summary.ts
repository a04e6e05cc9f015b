import type { Day } from "./day.ts";
import type { TransactionState } from "./transaction.ts";

/** What transactions are summed up by. */
export type SummaryKey = "all" | "provider" | "payer" | "capability" | "day";

/** Which transactions are summed up, and how. */
export interface SummaryQuery {
  readonly key: SummaryKey;
  /** Only of this agent on this side; undefined for all. */
  readonly party: { readonly agent: string; readonly role: "payer" | "provider" } | undefined;
  readonly capability: string | undefined;
  /** Only recorded from then on, */
  readonly from: Date;
  /** and before. */
  readonly until: Date;
  /** The days of the range when they are the key; otherwise none. */
  readonly days: readonly Day[];
}

/** The place of a summary in a list. */
export interface SummaryCursor {
  readonly key: string;
  readonly currency: string;
}

/** The sums of one key in one currency. */
export interface Summary extends SummaryCursor {
  readonly states: readonly {
    readonly state: TransactionState;
    readonly transactions: bigint;
    /** In micros. */
    readonly amount: bigint;
  }[];
  /** Micros that are the providers' by settlement or ruling. */
  readonly revenue: bigint;
  /** From hold to settlement on average; undefined when none was settled. */
  readonly meanSettleMs: number | undefined;
  readonly disputesOpened: bigint;
  readonly disputesOpen: bigint;
}
