import type { Tx } from "@bourse/postgres";
import { type Checkpoint, consistencyRanges, inclusionPath, inclusionRanges } from "@bourse/proof";
import { batchText } from "../journal.ts";
import type { EntryName, LedgerProof } from "../log.ts";
import { refuse } from "../refusal.ts";
import { batchAt, findEntry, hashesOf } from "./entries.ts";
import { checkpointOf, type LogState, requireSize, rootsIn } from "./log.ts";

/**
 * Makes the proof of an entry from what the tables hold, on one snapshot. Where they were tampered
 * with, the proof fails with whoever checks it.
 * @throws Rejection ENTRY_NOT_FOUND, LOG_SIZE_OUT_OF_RANGE
 */
export async function proveEntry(
  tx: Tx,
  log: LogState,
  name: EntryName,
  { size, viewer }: { readonly size: number; readonly viewer: string | undefined },
): Promise<LedgerProof> {
  const entry = await findEntry(tx, name, viewer);
  if (entry === undefined) throw refuse("ENTRY_NOT_FOUND", "there is no such movement or event");
  requireSize(log, size);
  if (entry.batch > size) {
    const message = `the entry came with batch ${entry.batch}, behind a log of ${size}`;
    throw refuse("LOG_SIZE_OUT_OF_RANGE", message, { metadata: { size: String(log.size) } });
  }
  const hashes = await hashesOf(tx, entry.batch);
  const { batch, previous } = await batchAt(tx, entry.batch);
  const batchPath = await rootsIn(tx, inclusionRanges(Number(entry.batch) - 1, size), log);
  return {
    entry: entry.text,
    index: entry.nth,
    path: inclusionPath(hashes, entry.nth),
    batch: batchText(previous, batch),
    batchPath,
    checkpoint: await checkpointOf(tx, log, size),
  };
}

/**
 * The path that proves that the log of `from` batches is the beginning of that of `to`.
 * @throws Rejection LOG_SIZE_OUT_OF_RANGE
 */
export async function proveConsistency(
  tx: Tx,
  log: LogState,
  from: number,
  to: number,
): Promise<{ readonly path: readonly Buffer[]; readonly checkpoint: Checkpoint }> {
  requireSize(log, to);
  if (from > to) {
    const message = `a log of ${to} batches does not begin with ${from}`;
    throw refuse("LOG_SIZE_OUT_OF_RANGE", message, { metadata: { size: String(log.size) } });
  }
  const path = await rootsIn(tx, consistencyRanges(from, to), log);
  return { path, checkpoint: await checkpointOf(tx, log, to) };
}
