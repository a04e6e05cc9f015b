import { HASH_BYTES, merkleRoot, nodeHash, type Range } from "./merkle.ts";

// A tile is the root of 256 complete neighbours of the level below: of 256 leaves on level 1, of
// 65,536 on level 2. Complete subtrees never change, so tiles are written once; with them, any
// proof reads at most 255 hashes of each level for each of its ends. (C2SP tlog-tiles stores the
// same hashes, 256 to a file.)

/** How many of one level make one of the next. */
export const TILE_WIDTH = 256;

/** Neighbouring hashes of one level; level 0 are the leaf hashes. */
export interface Span {
  readonly level: number;
  /** The first, counted on its level from 0. */
  readonly from: number;
  readonly count: number;
}

/** Reads spans, in their order; each as `count` hashes. */
export type ReadSpans = (spans: readonly Span[]) => Promise<readonly (readonly Uint8Array[])[]>;

/**
 * The tiles and leaves that a range of leaves consists of, from left to right, the widest tiles
 * first. It must begin where a subtree of at least its length may begin, as all ranges of proofs do.
 */
export function spansOf({ from, to }: Range): readonly Span[] {
  const spans: Span[] = [];
  let level = 0;
  while (leavesOf(level + 1) <= to - from) level += 1;
  let at = from;
  for (; level >= 0; level -= 1) {
    const leaves = leavesOf(level);
    const count = Math.floor((to - at) / leaves);
    if (count > 0) spans.push({ level, from: at / leaves, count });
    at += count * leaves;
  }
  return spans;
}

/**
 * The tiles of a level above 0 that are complete in a log of `newer` leaves and were not in one of
 * `older`; undefined when there are none.
 */
export function tilesBetween(older: number, newer: number, level: number): Span | undefined {
  const from = Math.floor(older / leavesOf(level));
  const count = Math.floor(newer / leavesOf(level)) - from;
  return count > 0 ? { level, from, count } : undefined;
}

/** The MTH of each range, reading as few hashes as the tiles allow, all at once. */
export async function rootsOf(
  ranges: readonly Range[],
  readSpans: ReadSpans,
): Promise<readonly Buffer[]> {
  const spans = ranges.map(spansOf);
  const hashes = await readSpans(spans.flat());
  let next = 0;
  return spans.map((each) => {
    const parts = each.map(({ level }) => ({ level, hashes: hashes[next++] ?? [] }));
    return foldParts(parts);
  });
}

/** Joins the complete subtrees of a range from right to left: RFC 6962 splits where they meet. */
function foldParts(
  parts: readonly { readonly level: number; readonly hashes: readonly Uint8Array[] }[],
): Buffer {
  const peaks: Peak[] = [];
  for (const { level, hashes } of parts) {
    for (const each of hashes) {
      let peak: Peak = { leaves: leavesOf(level), root: each };
      for (let left = peaks.at(-1); left?.leaves === peak.leaves; left = peaks.at(-1)) {
        peaks.pop();
        peak = { leaves: peak.leaves * 2, root: nodeHash(left.root, peak.root) };
      }
      peaks.push(peak);
    }
  }
  const last = peaks.pop();
  if (last === undefined) return merkleRoot([]);
  const root = peaks.reduceRight((right, { root: left }) => nodeHash(left, right), last.root);
  return Buffer.from(root.subarray(0, HASH_BYTES));
}

interface Peak {
  readonly leaves: number;
  readonly root: Uint8Array;
}

function leavesOf(level: number): number {
  return TILE_WIDTH ** level;
}
