import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  consistencyPath,
  consistencyRanges,
  growTree,
  inclusionPath,
  inclusionRanges,
  leafHash,
  merkleRoot,
  rootsOf,
  type Span,
  spansOf,
  TILE_WIDTH,
  tilesBetween,
} from "../src/index.ts";

const MOST = 2 * 65_536 + 700;
const leaves = Array.from({ length: MOST }, (_, nth) => leafHash(String(nth)));
const firstTiles = tilesOf(leaves);
const levels = [leaves, firstTiles, tilesOf(firstTiles)];

describe("proofs from tiles", () => {
  test("are those from all leaves", async () => {
    const tree = fc.tuple(fc.integer({ min: 1, max: MOST }), fc.nat());
    await fc.assert(
      fc.asyncProperty(tree, async ([size, nth]) => {
        const index = nth % size;
        const all = leaves.slice(0, size);

        expect(await rootsOf(inclusionRanges(index, size), read)).toEqual(
          inclusionPath(all, index),
        );
        expect(await rootsOf(consistencyRanges(index + 1, size), read)).toEqual(
          consistencyPath(all, index + 1),
        );
        expect(await rootsOf([{ from: 0, to: size }], read)).toEqual([merkleRoot(all)]);
      }),
      { numRuns: 8 },
    );
  });

  test("are right around the edges of tiles", async () => {
    for (const size of [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 131_072]) {
      const all = leaves.slice(0, size);
      expect(await rootsOf([{ from: 0, to: size }], read)).toEqual([merkleRoot(all)]);
      expect(await rootsOf(inclusionRanges(255, Math.max(size, 256)), read)).toEqual(
        inclusionPath(leaves.slice(0, Math.max(size, 256)), 255),
      );
    }
  });

  test("read hundreds of hashes of ten million leaves", () => {
    const size = 10_000_000;
    for (const index of [0, 1, 65_535, 65_536, 5_000_000, size - 1]) {
      const inclusion = inclusionRanges(index, size).flatMap((range) => spansOf(range));
      const consistency = consistencyRanges(index + 1, size).flatMap((range) => spansOf(range));

      expect(countOf(inclusion)).toBeLessThan(4 * TILE_WIDTH);
      expect(countOf(consistency)).toBeLessThan(4 * TILE_WIDTH);
    }
  });

  test("do with the tiles that are there", async () => {
    const size = 2_000;
    const ranges = [...inclusionRanges(700, size), { from: 0, to: size }];
    for (const tiled of [0, 256, 512, 1_792]) {
      const [...roots] = await rootsOf(ranges, read, tiled);
      const spans = ranges.flatMap((range) => spansOf(range, tiled));

      expect(roots.pop()).toEqual(merkleRoot(leaves.slice(0, size)));
      expect(roots).toEqual(inclusionPath(leaves.slice(0, size), 700));
      for (const { level, from, count } of spans) {
        expect(level === 0 || (from + count) * TILE_WIDTH <= tiled).toBe(true);
      }
    }
  });

  test("of no leaves is the root of the empty tree", async () => {
    expect(await rootsOf([{ from: 0, to: 0 }], read)).toEqual([merkleRoot([])]);
  });
});

describe("a growing tree", () => {
  test("has the root of its leaves at every size", () => {
    const tree = growTree();
    for (let size = 0; size <= 600; size += 1) {
      expect(tree.size).toBe(size);
      expect(tree.root()).toEqual(merkleRoot(leaves.slice(0, size)));
      tree.add(leaves[size] as Buffer);
    }
  });
});

describe("the tiles that a log completes", () => {
  test.each([
    [0, 255, 1, undefined],
    [0, 256, 1, { level: 1, from: 0, count: 1 }],
    [256, 511, 1, undefined],
    [255, 1024, 1, { level: 1, from: 0, count: 4 }],
    [300, 1024, 1, { level: 1, from: 1, count: 3 }],
    [65_535, 65_536, 2, { level: 2, from: 0, count: 1 }],
    [65_536, 131_071, 2, undefined],
  ])("growing from %i to %i on level %i are %o", (older, newer, level, tiles) => {
    expect(tilesBetween(older, newer, level)).toEqual(tiles);
  });

  test("are each complete once, however the log grows", () => {
    const growth = fc.array(fc.nat(2_000), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(growth, (steps) => {
        let size = 0;
        const seen: number[] = [];
        for (const step of steps) {
          const span = tilesBetween(size, size + step, 1);
          for (let nth = 0; nth < (span?.count ?? 0); nth += 1) seen.push((span?.from ?? 0) + nth);
          size += step;
        }

        expect(seen).toEqual(Array.from({ length: Math.floor(size / 256) }, (_, nth) => nth));
      }),
    );
  });
});

async function read(spans: readonly Span[]): Promise<readonly (readonly Buffer[])[]> {
  return spans.map(({ level, from, count }) => {
    const hashes = levels[level]?.slice(from, from + count) ?? [];
    expect(hashes).toHaveLength(count);
    return hashes;
  });
}

function tilesOf(hashes: readonly Buffer[]): readonly Buffer[] {
  return Array.from({ length: Math.floor(hashes.length / TILE_WIDTH) }, (_, nth) =>
    merkleRoot(hashes.slice(nth * TILE_WIDTH, (nth + 1) * TILE_WIDTH)),
  );
}

function countOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { count }) => sum + count, 0);
}
