import { hash } from "node:crypto";

// The Merkle tree of RFC 6962, section 2.1, in the words of RFC 9162 (Certificate Transparency 2.0),
// sections 2.1.1 to 2.1.4. MTH(D) below is the "Merkle tree hash" of these texts:
//
//   MTH({})   = SHA-256()
//   MTH({d})  = SHA-256(0x00 || d)
//   MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), k the largest power of two below n
//
// Sizes and places are integers below 2^53; 32-bit operators would wrap, so none is used.

/** A part of a list: from `from`, up to but not including `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The length of every hash. */
export const HASH_BYTES = 32;

const LEAF_PREFIX = Buffer.of(0x00);
const NODE_PREFIX = Buffer.of(0x01);

/** The hash of a leaf: SHA-256(0x00 || data). A text is hashed as UTF-8. */
export function leafHash(data: string | Uint8Array): Buffer {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  return hash("sha256", Buffer.concat([LEAF_PREFIX, bytes]), "buffer");
}

/** The hashes of leaves, one behind the other. The texts are hashed as UTF-8. */
export function leafHashes(texts: readonly string[]): Buffer {
  const hashes = Buffer.allocUnsafe(texts.length * HASH_BYTES);
  texts.forEach((text, nth) => {
    hashInto(hashes, nth, `\0${text}`);
  });
  return hashes;
}

/** The hash above two: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([NODE_PREFIX, left, right]), "buffer");
}

/** The root of a tree, given its leaf hashes in order; of no leaves, SHA-256 of nothing. */
export function merkleRoot(hashes: readonly Uint8Array[]): Buffer {
  return packedRoot(Buffer.concat(hashes));
}

/**
 * The same, given the hashes one behind the other.
 * @throws RangeError when the bytes are no whole number of hashes
 */
export function packedRoot(hashes: Uint8Array): Buffer {
  const size = hashes.length / HASH_BYTES;
  if (!Number.isInteger(size)) throw new RangeError(`${hashes.length} bytes are no whole hashes`);
  if (size === 0) return hash("sha256", "", "buffer");
  const row = Buffer.from(hashes);
  const input = Buffer.allocUnsafe(1 + 2 * HASH_BYTES).fill(NODE_PREFIX, 0, 1);
  // Pairing each row from the left and letting the odd one rise splits at the same powers of two.
  for (let length = size; length > 1; length = Math.ceil(length / 2)) {
    for (let nth = 0; nth + 1 < length; nth += 2) {
      row.copy(input, 1, nth * HASH_BYTES, (nth + 2) * HASH_BYTES);
      hashInto(row, nth / 2, input);
    }
    if (isOdd(length))
      row.copy(row, half(length) * HASH_BYTES, (length - 1) * HASH_BYTES, length * HASH_BYTES);
  }
  return Buffer.from(row.subarray(0, HASH_BYTES));
}

/** Puts a hash at its place; by way of a text, since a buffer for each costs three times as much. */
function hashInto(hashes: Buffer, nth: number, data: string | Buffer): void {
  hashes.write(hash("sha256", data, "latin1"), nth * HASH_BYTES, "latin1");
}

/**
 * The ranges of leaves whose MTHs are the inclusion path of a leaf, from the leaf upwards
 * (RFC 9162, 2.1.3.1).
 * @throws RangeError unless `index` is below `size`
 */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  if (!isCount(size) || !isCount(index) || index >= size) {
    throw new RangeError(`a tree of ${size} has no leaf ${index}`);
  }
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.reverse();
}

/**
 * The ranges of leaves whose MTHs prove that the tree of the first `older` leaves is the beginning
 * of that of the first `newer` (RFC 9162, 2.1.4.1). None when `older` is 0 or equals `newer`.
 * @throws RangeError unless 0 <= older <= newer
 */
export function consistencyRanges(older: number, newer: number): readonly Range[] {
  if (!isCount(older) || !isCount(newer) || older > newer) {
    throw new RangeError(`a tree of ${newer} does not begin with one of ${older}`);
  }
  const ranges: Range[] = [];
  if (older === 0) return ranges;
  let [from, to] = [0, newer];
  while (to > older) {
    const middle = from + splitOf(to - from);
    if (older <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  // What is left ends where the older tree does; its root is known when it is that whole tree.
  if (from > 0) ranges.push({ from, to });
  return ranges.reverse();
}

/** The inclusion path of a leaf, given all leaf hashes: see `inclusionRanges`. */
export function inclusionPath(hashes: readonly Uint8Array[], index: number): readonly Buffer[] {
  return inclusionRanges(index, hashes.length).map(({ from, to }) =>
    merkleRoot(hashes.slice(from, to)),
  );
}

/** The consistency proof for the first `older` leaves, given all: see `consistencyRanges`. */
export function consistencyPath(hashes: readonly Uint8Array[], older: number): readonly Buffer[] {
  return consistencyRanges(older, hashes.length).map(({ from, to }) =>
    merkleRoot(hashes.slice(from, to)),
  );
}

/**
 * The root that a tree of `size` leaves must have when its leaf at `index` has this hash and this
 * path (RFC 9162, 2.1.3.2); undefined when no such tree has a path of this form.
 */
export function rootOfPath(
  leaf: Uint8Array,
  place: { readonly index: number; readonly size: number },
  path: readonly Uint8Array[],
): Buffer | undefined {
  const { index, size } = place;
  if (!isCount(index) || !isCount(size) || index >= size) return undefined;
  if ([leaf, ...path].some((each) => each.length !== HASH_BYTES)) return undefined;
  let [node, last, root] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (isOdd(node) || node === last) {
      root = nodeHash(sibling, root);
      while (!isOdd(node) && node > 0) [node, last] = [half(node), half(last)];
    } else {
      root = nodeHash(root, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 ? Buffer.from(root) : undefined;
}

/**
 * Whether a proof shows that the tree of `older` leaves is the beginning of the tree of `newer`
 * (RFC 9162, 2.1.4.2). The empty tree is the beginning of every tree, without a proof.
 */
export function isConsistent(
  older: { readonly size: number; readonly root: Uint8Array },
  newer: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isCount(older.size) || !isCount(newer.size) || older.size > newer.size) return false;
  if (proof.some((each) => each.length !== HASH_BYTES)) return false;
  if (older.size === newer.size) return proof.length === 0 && isEqual(older.root, newer.root);
  if (older.size === 0) return proof.length === 0 && isEqual(older.root, merkleRoot([]));
  const [first, ...others] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  if (first === undefined || proof.length === 0) return false;
  let [node, last] = [older.size - 1, newer.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [olderRoot, newerRoot] = [first, first];
  for (const each of others) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      olderRoot = nodeHash(each, olderRoot);
      newerRoot = nodeHash(each, newerRoot);
      while (!isOdd(node) && node > 0) [node, last] = [half(node), half(last)];
    } else {
      newerRoot = nodeHash(newerRoot, each);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isEqual(olderRoot, older.root) && isEqual(newerRoot, newer.root);
}

/** The largest power of two below a size of at least 2. */
function splitOf(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function isPowerOfTwo(size: number): boolean {
  return size === 1 || splitOf(size) * 2 === size;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
