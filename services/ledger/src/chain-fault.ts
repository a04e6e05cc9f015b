import { merkleRoot } from "@bourse/proof";
import { type Batch, batchHash } from "./journal.ts";

/** What is wrong with the journal or the log over it. */
export type ChainFault =
  | "SEQUENCE_GAP"
  | "HASH_MISMATCH"
  | "ENTRY_CHANGED"
  | "ENTRY_INSERTED"
  | "ENTRY_MISPLACED"
  | "ENTRY_MISSING"
  | "ROOT_MISMATCH"
  | "TILE_MISMATCH"
  | "CHECKPOINT_MISMATCH"
  | "HEAD_MISMATCH";

/** A fault and the movement or event that bears it; "" when none is known. */
export interface Broken {
  readonly fault: ChainFault;
  readonly entry: string;
  /** For people. */
  readonly detail: string;
}

/** An entry of a batch as it stands now. */
export interface Standing {
  readonly entry: string;
  readonly nth: number;
  /** When it was written, as it says itself: always with its batch. */
  readonly writtenAt: Date;
  /** The hash that stands beside it, and the hash of what it says. */
  readonly told: Buffer;
  readonly made: Buffer;
}

/** Hashes that a search for the entry at fault may cost; beyond it, only the batch is named. */
const SEARCH_HASHES_MAX = 250_000;

/**
 * What is wrong with a batch, or undefined. The root in it is what its entries are held against, so
 * the batch itself is checked first.
 * @param entries in the order of their places
 */
export function faultOf(
  previous: { readonly sequence: bigint; readonly hash: Buffer },
  batch: Batch,
  entries: readonly Standing[],
): Broken | undefined {
  const expected = previous.sequence + 1n;
  if (batch.sequence !== expected) {
    return broken("SEQUENCE_GAP", "", `batch ${expected} is missing`);
  }
  if (!batchHash(previous.hash, batch).equals(batch.hash)) {
    const detail = `batch ${expected}, or the hash of the one before it, was changed`;
    return broken("HASH_MISMATCH", "", detail);
  }
  const changed = entries.find(({ told, made }) => !told.equals(made));
  if (changed !== undefined) {
    return broken("ENTRY_CHANGED", changed.entry, `${changed.entry} is not as it was written`);
  }
  const ordered = entries.every(({ nth }, place) => nth === place);
  if (ordered && entries.length === batch.entries && leadTo(batch, entries)) return undefined;
  return inserted(batch, entries) ?? missing(batch, entries) ?? misplaced(batch, entries);
}

/** More entries than the batch has: the one without which the rest is right, if one can be found. */
function inserted(batch: Batch, entries: readonly Standing[]): Broken | undefined {
  if (entries.length <= batch.entries) return undefined;
  const without = (one: Standing) => entries.filter((each) => each !== one);
  const search = suspicious(batch, entries).slice(0, triesFor(entries));
  const found =
    entries.length === batch.entries + 1
      ? search.find((one) => leadTo(batch, without(one)))
      : undefined;
  const entry = (found ?? alienIn(batch, entries) ?? doubleIn(entries))?.entry ?? "";
  const detail = `${entries.length} entries, not ${batch.entries}; too many: ${entry || "?"}`;
  return broken("ENTRY_INSERTED", entry, detail);
}

/** Fewer entries than the batch has. What is gone tells its place only, and its neighbours. */
function missing(batch: Batch, entries: readonly Standing[]): Broken | undefined {
  if (entries.length >= batch.entries) return undefined;
  const nths = new Set(entries.map(({ nth }) => nth));
  const hole = Array.from({ length: batch.entries }, (_, nth) => nth).find((nth) => !nths.has(nth));
  const place = hole ?? batch.entries - 1;
  const before = entries.findLast(({ nth }) => nth < place)?.entry;
  const after = entries.find(({ nth }) => nth > place)?.entry;
  const between = `behind ${before ?? "nothing"}, before ${after ?? "nothing"}`;
  const detail = `entry ${place} of ${batch.entries} is gone: ${between}`;
  return broken("ENTRY_MISSING", "", detail);
}

/** As many as there should be, but not these, or not in this order. */
function misplaced(batch: Batch, entries: readonly Standing[]): Broken {
  const alien = alienIn(batch, entries);
  const shifted = entries.find(({ nth }, place) => nth !== place);
  const [one, other] = alien === undefined ? swappedIn(batch, entries) : [];
  if (one !== undefined && other !== undefined) {
    const detail = `${one.entry} and ${other.entry} stand in each other's place`;
    return broken("ENTRY_MISPLACED", one.entry, detail);
  }
  const found = alien ?? shifted;
  if (found !== undefined) {
    return broken("ENTRY_MISPLACED", found.entry, `${found.entry} does not belong where it stands`);
  }
  const detail = "entries were changed together with their hashes, or several changed places";
  return broken("ROOT_MISMATCH", "", detail);
}

/** Two entries that make the batch right when each takes the other's place, nearest first. */
function swappedIn(batch: Batch, entries: readonly Standing[]): readonly Standing[] {
  let tries = triesFor(entries);
  for (let distance = 1; distance < entries.length; distance += 1) {
    for (let nth = 0; nth + distance < entries.length; nth += 1) {
      if (tries-- === 0) return [];
      const [one, other] = [entries[nth], entries[nth + distance]];
      if (one === undefined || other === undefined) return [];
      if (leadTo(batch, entries.with(nth, other).with(nth + distance, one))) return [one, other];
    }
  }
  return [];
}

function leadTo({ root }: Batch, entries: readonly Standing[]): boolean {
  return merkleRoot(entries.map(({ told }) => told)).equals(root);
}

/** Those that do not look like the batch's own first: another time, a place taken or beyond. */
function suspicious(batch: Batch, entries: readonly Standing[]): readonly Standing[] {
  const places = Map.groupBy(entries, ({ nth }) => nth);
  const isOdd = (one: Standing) =>
    isAlien(batch, one) || one.nth >= batch.entries || (places.get(one.nth)?.length ?? 0) > 1;
  return [...entries.filter(isOdd), ...entries.filter((one) => !isOdd(one))];
}

function alienIn(batch: Batch, entries: readonly Standing[]): Standing | undefined {
  return entries.find((one) => isAlien(batch, one));
}

function isAlien({ recordedAt }: Batch, { writtenAt }: Standing): boolean {
  return writtenAt.getTime() !== recordedAt.getTime();
}

function doubleIn(entries: readonly Standing[]): Standing | undefined {
  return entries.find(({ nth }, place) => nth !== place) ?? entries.at(-1);
}

function triesFor(entries: readonly Standing[]): number {
  return Math.floor(SEARCH_HASHES_MAX / entries.length);
}

function broken(fault: ChainFault, entry: string, detail: string): Broken {
  return { fault, entry, detail };
}
