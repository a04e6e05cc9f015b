import { merkleRoot, nodeHash, type Range } from "./merkle.ts";

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
 * first. It must begin where a subtree of at least its length may begin, as ranges of proofs do.
 * @param tiled the leaves, from the first, whose tiles are there; without it, all
 */
export function spansOf({ from, to }: Range, tiled = Number.POSITIVE_INFINITY): readonly Span[] {
  const spans: Span[] = [];
  let level = 0;
  while (leavesOf(level + 1) <= to - from) level += 1;
  let at = from;
  for (; level >= 0; level -= 1) {
    const leaves = leavesOf(level);
    const end = level === 0 ? to : Math.min(to, tiled);
    const count = Math.max(0, Math.floor((end - at) / leaves));
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

/**
 * The MTH of each range, reading as few hashes as the tiles allow, all at once.
 * @param tiled as for `spansOf`
 */
export async function rootsOf(
  ranges: readonly Range[],
  readSpans: ReadSpans,
  tiled?: number,
): Promise<readonly Buffer[]> {
  const spans = ranges.map((range) => spansOf(range, tiled));
  const hashes = await readSpans(spans.flat());
  let next = 0;
  return spans.map((each) => {
    const tree = growTree();
    for (const { level } of each) {
      for (const hash of hashes[next] ?? []) tree.add(hash, level);
      next += 1;
    }
    return tree.root();
  });
}

/** A tree that grows to the right and remembers only what it takes to tell its root. */
export interface GrowingTree {
  /** How many leaves it has. */
  readonly size: number;
  /** Adds a leaf hash, or a whole tile of a level above 0; a tile no wider than the one before. */
  add(hash: Uint8Array, level?: number): void;
  /** The root over all leaves so far. */
  root(): Buffer;
}

/** Starts an empty tree. */
export function growTree(): GrowingTree {
  // Complete subtrees, each narrower than the one to its left: RFC 6962 splits where they meet.
  const peaks: { readonly leaves: number; readonly root: Uint8Array }[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(hash, level = 0) {
      let peak = { leaves: leavesOf(level), root: hash };
      size += peak.leaves;
      for (let left = peaks.at(-1); left?.leaves === peak.leaves; left = peaks.at(-1)) {
        peaks.pop();
        peak = { leaves: peak.leaves * 2, root: nodeHash(left.root, peak.root) };
      }
      peaks.push(peak);
    },
    root() {
      const last = peaks.at(-1);
      if (last === undefined) return merkleRoot([]);
      const others = peaks.slice(0, -1);
      return Buffer.from(
        others.reduceRight((right, left) => nodeHash(left.root, right), last.root),
      );
    },
  };
}

function leavesOf(level: number): number {
  return TILE_WIDTH ** level;
}
