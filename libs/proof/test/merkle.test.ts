import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  consistencyPath,
  consistencyRanges,
  inclusionPath,
  inclusionRanges,
  isConsistent,
  leafHash,
  leafHashes,
  merkleRoot,
  nodeHash,
  packedRoot,
  rootOfPath,
} from "../src/index.ts";
import { naivePath, naiveProof, naiveRoot } from "./naive.ts";

// The inputs and roots that the implementations of Certificate Transparency test each other with
// (transparency-dev/merkle, testonly/constants.go).
const INPUTS = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const LEAVES = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
  "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
  "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
  "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
  "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
  "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
  "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const data = INPUTS.map((hex) => Buffer.from(hex, "hex"));
const hashes = data.map(leafHash);

describe("the vectors of Certificate Transparency", () => {
  test.each(LEAVES.map((leaf, nth) => [nth, leaf] as const))(
    "leaf %i is hashed so",
    (nth, leaf) => {
      expect(hashes[nth]?.toString("hex")).toBe(leaf);
    },
  );

  test.each(ROOTS.map((root, size) => [size, root] as const))("a tree of %i", (size, root) => {
    expect(merkleRoot(hashes.slice(0, size)).toString("hex")).toBe(root);
  });

  // The same leaf hashes, and the nodes above them, in the paths that RFC 6962, 2.1.3 draws.
  test.each([
    [0, 1, []],
    [
      0,
      8,
      [
        LEAVES[1],
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ],
    ],
    [
      5,
      8,
      [LEAVES[4], "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", ROOTS[4]],
    ],
    [2, 3, [ROOTS[2]]],
    [
      1,
      5,
      [LEAVES[0], "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", LEAVES[4]],
    ],
  ])("the path of leaf %i in a tree of %i", (index, size, path) => {
    expect(inclusionPath(hashes.slice(0, size), index).map(hex)).toEqual(path);
  });

  test.each([
    [1, 1, []],
    [
      1,
      8,
      [
        LEAVES[1],
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ],
    ],
    [
      6,
      8,
      [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ROOTS[4],
      ],
    ],
    [2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", LEAVES[4]]],
  ])("the consistency of %i with %i", (older, newer, proof) => {
    expect(consistencyPath(hashes.slice(0, newer), older).map(hex)).toEqual(proof);
  });
});

const leaves = fc.array(
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  {
    minLength: 1,
    maxLength: 70,
  },
);

describe("a tree", () => {
  test("has the roots, paths and proofs of the definition", () => {
    fc.assert(
      fc.property(leaves, fc.nat(), (some, at) => {
        const index = at % some.length;
        const all = some.map(leafHash);

        expect(merkleRoot(all)).toEqual(naiveRoot(some));
        expect(inclusionPath(all, index)).toEqual(naivePath(index, some));
        expect(consistencyPath(all, index + 1)).toEqual(naiveProof(index + 1, some));
      }),
    );
  });

  test("has the same hashes and root when they lie one behind the other", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (texts) => {
        const packed = leafHashes(texts);

        expect(packed).toEqual(Buffer.concat(texts.map(leafHash)));
        expect(packedRoot(packed)).toEqual(merkleRoot(texts.map(leafHash)));
      }),
    );
    expect(() => packedRoot(Buffer.alloc(33))).toThrow(RangeError);
  });

  test("proves every leaf of every size up to 130, and nothing at another place", () => {
    for (let size = 1; size <= 130; size += 1) {
      const all = numbered(size);
      const root = merkleRoot(all);
      for (let index = 0; index < size; index += 1) {
        const path = inclusionPath(all, index);
        const leaf = at(all, index);
        expect(rootOfPath(leaf, { index, size }, path)).toEqual(root);
        expect(rootOfPath(leaf, { index: index + 1, size }, path)).not.toEqual(root);
        expect(rootOfPath(leaf, { index: index ^ 1, size }, path)).not.toEqual(root);
      }
    }
  });

  test("has each of its beginnings proved, for every pair of sizes up to 70", () => {
    const all = numbered(70);
    const roots = Array.from({ length: 71 }, (_, size) => merkleRoot(all.slice(0, size)));
    for (let newer = 0; newer <= 70; newer += 1) {
      for (let older = 0; older <= newer; older += 1) {
        const proof = consistencyPath(all.slice(0, newer), older);
        const [from, to] = [tree(older, roots), tree(newer, roots)];
        expect(isConsistent(from, to, proof)).toBe(true);
        expect(isConsistent(to, from, proof)).toBe(older === newer);
      }
    }
  });

  test("hashes leaves and nodes apart, so that no node passes for a leaf", () => {
    const [left, right] = numbered(2) as [Buffer, Buffer];

    expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right));
  });

  test("has places and sizes beyond 32 bits", () => {
    const [index, size] = [2 ** 40 + 5, 2 ** 41 + 3];
    const path = inclusionRanges(index, size).map((_, nth) => leafHash(String(nth)));
    const leaf = leafHash("a");

    expect(path).toHaveLength(42);
    expect(rootOfPath(leaf, { index, size }, path)).toBeDefined();
    expect(rootOfPath(leaf, { index, size }, path.slice(1))).toBeUndefined();
    expect(consistencyRanges(2 ** 40, size).at(-1)).toEqual({ from: 2 ** 41, to: size });
  });

  test.each([
    [3, 3],
    [-1, 3],
    [0.5, 3],
    [0, 0],
    [0, 2 ** 53],
  ])("has no path for leaf %d of %d", (index, size) => {
    expect(() => inclusionRanges(index, size)).toThrow(RangeError);
    expect(rootOfPath(leafHash("a"), { index, size }, [])).toBeUndefined();
  });

  test("has no beginning that is longer than itself", () => {
    expect(() => consistencyRanges(4, 3)).toThrow(RangeError);
  });
});

describe("a forged path", () => {
  const proved = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat()).map(([size, nth]) => {
    const all = numbered(size);
    const index = nth % size;
    return { all, size, index, path: inclusionPath(all, index), root: merkleRoot(all) };
  });

  test("of another leaf, or with any hash of it changed, has another root", () => {
    fc.assert(
      fc.property(proved, fc.nat(), fc.nat(255), ({ all, size, index, path, root }, nth, bit) => {
        const chain = [at(all, index), ...path];
        const [leaf, ...others] = chain.map((each, place) =>
          place === nth % chain.length ? flipped(each, bit) : each,
        ) as [Buffer, ...Buffer[]];

        expect(rootOfPath(leaf, { index, size }, others)).not.toEqual(root);
      }),
    );
  });

  test("with a hash more, less or cut short has another root or none", () => {
    fc.assert(
      fc.property(proved, ({ all, size, index, path, root }) => {
        const leaf = at(all, index);
        const place = { index, size };

        expect(rootOfPath(leaf, place, [...path, root])).not.toEqual(root);
        expect(rootOfPath(leaf, place, [leaf, ...path])).not.toEqual(root);
        expect(rootOfPath(leaf, place, [...path.slice(0, -1), Buffer.alloc(31)])).toBeUndefined();
        if (path.length > 0) {
          expect(rootOfPath(leaf, place, path.slice(1))).not.toEqual(root);
          expect(rootOfPath(leaf, place, path.slice(0, -1))).not.toEqual(root);
        }
      }),
    );
  });

  test("that is too long for the size it claims has no root, though its hashes lead to one", () => {
    const [left, right] = numbered(2) as [Buffer, Buffer];

    expect(rootOfPath(right, { index: 1, size: 2 }, [left])).toEqual(nodeHash(left, right));
    expect(rootOfPath(right, { index: 0, size: 1 }, [left])).toBeUndefined();
  });

  test("of a leaf that is not in the tree has another root, whatever the path", () => {
    fc.assert(
      fc.property(proved, fc.array(fc.nat(), { maxLength: 9 }), ({ all, size, index }, picks) => {
        const path = picks.map((pick) => at(all, pick % size));
        const stranger = leafHash("not in the tree");

        expect(rootOfPath(stranger, { index, size }, path)).not.toEqual(merkleRoot(all));
      }),
    );
  });
});

describe("a forged consistency proof", () => {
  const grown = fc
    .tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 100 }))
    .map(([older, more]) => {
      const all = numbered(older + more);
      return {
        all,
        from: { size: older, root: merkleRoot(all.slice(0, older)) },
        to: { size: older + more, root: merkleRoot(all) },
        proof: consistencyPath(all, older),
      };
    });

  test("with any hash or root changed fails", () => {
    fc.assert(
      fc.property(grown, fc.nat(), fc.nat(255), ({ from, to, proof }, nth, bit) => {
        const changed = proof.map((each, place) =>
          place === nth % proof.length ? flipped(each, bit) : each,
        );

        expect(isConsistent(from, to, changed)).toBe(false);
        expect(isConsistent({ ...from, root: flipped(from.root, bit) }, to, proof)).toBe(false);
        expect(isConsistent(from, { ...to, root: flipped(to.root, bit) }, proof)).toBe(false);
      }),
    );
  });

  test("of another form fails: empty, longer, shorter, hashes of another length", () => {
    fc.assert(
      fc.property(grown, ({ from, to, proof }) => {
        expect(isConsistent(from, to, [])).toBe(false);
        expect(isConsistent(from, to, [...proof, to.root])).toBe(false);
        expect(isConsistent(from, to, proof.slice(0, -1))).toBe(false);
        expect(isConsistent(from, to, [...proof.slice(0, -1), Buffer.alloc(33)])).toBe(false);
        expect(isConsistent(from, from, proof)).toBe(false);
      }),
    );
  });

  test("that is too long for its sizes fails, though its hashes lead to both roots", () => {
    const [a, b, c, d] = numbered(4) as [Buffer, Buffer, Buffer, Buffer];
    const older = { size: 3, root: nodeHash(d, nodeHash(c, a)) };
    const newer = { size: 4, root: nodeHash(d, nodeHash(c, nodeHash(a, b))) };

    expect(isConsistent(older, newer, [a, b, c, d])).toBe(false);
  });

  test("for a history with one leaf rewritten cannot be made", () => {
    fc.assert(
      fc.property(grown, fc.nat(), ({ all, from, to }, nth) => {
        const rewritten = all.with(nth % from.size, leafHash("another"));
        const forged = { size: to.size, root: merkleRoot(rewritten) };

        expect(isConsistent(from, forged, consistencyPath(rewritten, from.size))).toBe(false);
        expect(isConsistent(from, forged, consistencyPath(all, from.size))).toBe(false);
      }),
    );
  });

  test("does not let a tree begin with an empty one of another root", () => {
    const to = { size: 3, root: merkleRoot(numbered(3)) };

    expect(isConsistent({ size: 0, root: Buffer.alloc(32) }, to, [])).toBe(false);
  });
});

function numbered(count: number): readonly Buffer[] {
  return Array.from({ length: count }, (_, nth) => leafHash(String(nth)));
}

function tree(size: number, roots: readonly Buffer[]) {
  return { size, root: at(roots, size) };
}

function at(list: readonly Buffer[], index: number): Buffer {
  const one = list[index];
  if (one === undefined) throw new RangeError(`nothing at ${index}`);
  return one;
}

function flipped(hash: Buffer, bit: number): Buffer {
  const copy = Buffer.from(hash);
  const nth = Math.floor(bit / 8);
  copy[nth] = (copy[nth] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

function hex(hash: Buffer): string {
  return hash.toString("hex");
}
