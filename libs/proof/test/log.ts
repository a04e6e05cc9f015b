import { hash } from "node:crypto";
import {
  canonicalJson,
  checkpointText,
  consistencyDocument,
  consistencyPath,
  inclusionPath,
  type JsonObject,
  leafHash,
  merkleRoot,
  proofDocument,
} from "../src/index.ts";

/** A log of batches, kept in memory and whole. */
export function aLog(batches: readonly (readonly JsonObject[])[], origin = "log.example/1") {
  let previous = Buffer.alloc(32);
  const written = batches.map((entries, nth) => {
    const texts = entries.map(canonicalJson);
    const leaves = texts.map(leafHash);
    const header = canonicalJson({
      entries: texts.length,
      previous_hash: previous.toString("hex"),
      recorded_at: new Date(Date.UTC(2026, 10, 21) + nth).toISOString(),
      root: merkleRoot(leaves).toString("hex"),
      sequence: String(nth + 1),
    });
    previous = hash("sha256", header, "buffer");
    return { texts, leaves, header, leaf: leafHash(previous) };
  });
  const log = written.map(({ leaf }) => leaf);
  return {
    checkpoint: (size = log.length) =>
      checkpointText({ origin, size, root: merkleRoot(log.slice(0, size)) }),
    /** The proof of an entry of a batch, both counted from 0. */
    prove(batch: number, index: number, size = log.length) {
      const { texts, leaves, header } = written[batch] as (typeof written)[number];
      return proofDocument({
        entry: texts[index] as string,
        index,
        path: inclusionPath(leaves, index),
        batch: header,
        batchPath: inclusionPath(log.slice(0, size), batch),
        checkpoint: this.checkpoint(size),
      });
    },
    proveConsistency: (from: number, to = log.length) =>
      consistencyDocument({ from, to, path: consistencyPath(log.slice(0, to), from) }),
  };
}
