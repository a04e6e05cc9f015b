import type { Tx } from "@bourse/postgres";
import { type GrowingTree, growTree, leafHash, TILE_WIDTH } from "@bourse/proof";
import { type Broken, faultOf } from "../chain-fault.ts";
import { type Batch, GENESIS_HASH } from "../journal.ts";
import type { ChainReport, Divergence } from "../store.ts";
import { batchesAfter, findStray, leavesOf } from "./entries.ts";
import { readHead } from "./journal.ts";
import { tracesOf } from "./lost.ts";

/**
 * Batches that are read at once, as long as they bear no more entries than this: while a page is
 * hashed, the process answers nobody.
 */
const BATCHES_MAX = 500;
const ENTRIES_MAX = 1_000;

/**
 * Walks the journal from its first batch, recomputing the hash of every entry, the root and hash of
 * every batch, and the log over them, which it holds against tiles and checkpoints. Run it on one
 * snapshot; it remembers one page at a time.
 */
export async function verifyChain(tx: Tx): Promise<ChainReport> {
  const log = followLog(tx, await countTiled(tx));
  let head: ChainReport["head"] = { sequence: 0n, hash: GENESIS_HASH };
  let entries = 0n;
  const report = (found: Broken | undefined): ChainReport => ({
    entries,
    head,
    broken: found && { sequence: head.sequence + 1n, ...found },
  });
  for (;;) {
    const page = fitting(await batchesAfter(tx, head.sequence, BATCHES_MAX));
    const last = page.at(-1);
    if (last === undefined) break;
    const leaves = await leavesOf(tx, head.sequence, last.sequence);
    await log.readUntil(last.sequence);
    for (const batch of page) {
      const fault = faultOf(head, batch, leaves.get(batch.sequence) ?? []) ?? log.add(batch);
      if (fault !== undefined) return report(await withTraces(tx, batch, fault));
      entries += BigInt(batch.entries);
      head = { sequence: batch.sequence, hash: batch.hash };
    }
  }
  return report(await faultAtEnd(tx, head));
}

/** Names what is gone by what it left elsewhere, if one thing only can have been it. */
async function withTraces(tx: Tx, batch: Batch, fault: Broken): Promise<Broken> {
  if (fault.fault !== "ENTRY_MISSING") return fault;
  const [trace, other] = await tracesOf(tx, batch, 2);
  if (trace === undefined || other !== undefined) return fault;
  return { ...fault, entry: trace.entry, detail: `${fault.detail}; it was ${trace.told}` };
}

/** Where the chain breaks, in the terms of Verify, or undefined. */
export function chainDivergence({ broken }: ChainReport): Divergence | undefined {
  return (
    broken && {
      check: "CHAIN_BROKEN",
      subject: broken.entry || `batch ${broken.sequence}`,
      expected: "as it was written",
      found: `${broken.fault} in batch ${broken.sequence}: ${broken.detail}`,
    }
  );
}

async function faultAtEnd(tx: Tx, head: ChainReport["head"]): Promise<Broken | undefined> {
  const told = await readHead(tx, "");
  if (told?.sequence !== head.sequence || !told.hash.equals(head.hash)) {
    const detail = `the journal ends with batch ${head.sequence}, its head says ${told?.sequence}`;
    return { fault: "HEAD_MISMATCH", entry: "", detail };
  }
  const { rows } = await tx.query<{ size: string }>(
    "select size from checkpoints where size > $1 order by size limit 1",
    [head.sequence],
  );
  for (const { size } of rows) {
    const detail = `the log was told to have ${size} batches and has ${head.sequence}`;
    return { fault: "CHECKPOINT_MISMATCH", entry: "", detail };
  }
  const stray = await findStray(tx, head.sequence);
  return stray === undefined
    ? undefined
    : { fault: "ENTRY_INSERTED", entry: stray, detail: `${stray} belongs to no batch` };
}

/** As many batches as fit a page; at least one. */
function fitting(batches: readonly Batch[]): readonly Batch[] {
  let entries = 0;
  const end = batches.findIndex((batch, nth) => {
    entries += batch.entries;
    return nth > 0 && entries > ENTRIES_MAX;
  });
  return end < 0 ? batches : batches.slice(0, end);
}

/** Grows the log along with the walk and compares it with what is stored of it. */
function followLog(tx: Tx, tiled: number) {
  const log = growTree();
  const tiles: GrowingTree[] = [];
  let checkpoints: ReadonlyMap<bigint, Buffer> = new Map();
  let roots: ReadonlyMap<string, Buffer> = new Map();
  let read = 0n;

  /** The tiles that the newest leaf completes, and what is wrong with the first that is wrong. */
  function addToTiles(leaf: Buffer, size: number): Broken | undefined {
    let hash = leaf;
    for (let level = 1; ; level += 1) {
      const tile = tiles[level] ?? growTree();
      tiles[level] = tile;
      tile.add(hash);
      if (tile.size < TILE_WIDTH) return undefined;
      hash = tile.root();
      tiles[level] = growTree();
      const nth = size / TILE_WIDTH ** level - 1;
      const told = roots.get(`${level}/${nth}`);
      const isWritten = (nth + 1) * TILE_WIDTH ** level <= tiled;
      if (isWritten && told?.equals(hash) !== true) {
        const detail = `tile ${nth} of level ${level} is not the root of its batches`;
        return { fault: "TILE_MISMATCH", entry: "", detail };
      }
    }
  }

  return {
    /** Reads what is stored of the log up to this size. */
    async readUntil(size: bigint): Promise<void> {
      checkpoints = await checkpointsBetween(tx, read, size);
      roots = await tilesBetween(tx, read, size);
      read = size;
    },
    /** Adds the next batch. */
    add({ sequence, hash }: Batch): Broken | undefined {
      const leaf = leafHash(hash);
      log.add(leaf);
      const told = checkpoints.get(sequence);
      if (told !== undefined && !told.equals(log.root())) {
        const detail = `the first ${sequence} batches are not those of the checkpoint`;
        return { fault: "CHECKPOINT_MISMATCH", entry: "", detail };
      }
      return addToTiles(leaf, log.size);
    },
  };
}

async function countTiled(tx: Tx): Promise<number> {
  const { rows } = await tx.query<{ tiled: string }>("select tiled from log");
  return Number(rows[0]?.tiled ?? 0);
}

async function checkpointsBetween(tx: Tx, after: bigint, until: bigint) {
  const { rows } = await tx.query<{ size: string; root: Uint8Array }>(
    "select size, root from checkpoints where size > $1 and size <= $2",
    [after, until],
  );
  return new Map(rows.map(({ size, root }) => [BigInt(size), Buffer.from(root)]));
}

async function tilesBetween(tx: Tx, after: bigint, until: bigint) {
  const { rows } = await tx.query<{ level: number; nth: string; root: Uint8Array }>(
    `select level, nth, root
     from generate_series(1, 7) as levels (level)
     join log_tiles using (level)
     where nth >= floor($1 / 256::numeric ^ level) and nth < floor($2 / 256::numeric ^ level)`,
    [after, until],
  );
  return new Map(rows.map(({ level, nth, root }) => [`${level}/${nth}`, Buffer.from(root)]));
}
