import type { Checkpoint, EntryProof } from "@bourse/proof";
import type { QueryOptions } from "./store.ts";

/** Which entry to prove. */
export type EntryName =
  | { readonly kind: "movement"; readonly id: string }
  | { readonly kind: "event"; readonly id: string }
  /** An event by its place among all events. */
  | { readonly kind: "sequence"; readonly sequence: bigint };

/** The proof of an entry, its checkpoint not yet written as a text. */
export type LedgerProof = Omit<EntryProof, "checkpoint"> & { readonly checkpoint: Checkpoint };

/**
 * The log over the batches of the journal, and proofs from it. Every checkpoint that is told is
 * stored first, so that VerifyChain holds the journal to it. A size that is undefined means now.
 */
export interface LogStore {
  /**
   * The log when it had so many batches.
   * @throws Rejection LOG_SIZE_OUT_OF_RANGE when it has not got that far
   */
  checkpoint(size: number | undefined, options: QueryOptions): Promise<Checkpoint>;
  /**
   * Proves that an entry stands in the log of `size` batches.
   * @param options with a viewer: an agent that sees only movements of its own accounts and events
   * about itself
   * @throws Rejection ENTRY_NOT_FOUND, LOG_SIZE_OUT_OF_RANGE (the log, or the entry's batch, is not
   * within that size)
   */
  prove(
    entry: EntryName,
    size: number | undefined,
    options: QueryOptions & { readonly viewer: string | undefined },
  ): Promise<LedgerProof>;
  /**
   * Proves that the log of `from` batches is the beginning of that of `to`.
   * @throws Rejection LOG_SIZE_OUT_OF_RANGE unless from <= to <= the size of the log
   */
  proveConsistency(
    from: number,
    to: number | undefined,
    options: QueryOptions,
  ): Promise<{ readonly path: readonly Uint8Array[]; readonly checkpoint: Checkpoint }>;
}
