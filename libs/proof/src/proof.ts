import { hash } from "node:crypto";
import { canonicalJson, type Json, type JsonObject } from "./canonical.ts";
import {
  type Checkpoint,
  CheckpointError,
  checkpointText,
  isSignedBy,
  parseCheckpoint,
} from "./checkpoint.ts";
import { HASH_BYTES, isConsistent, leafHash, rootOfPath } from "./merkle.ts";

/** The first line of a reader's mind: what kind of document this is. */
export const PROOF_FORMAT = "bourse-ledger-proof/1";

/** The same of a consistency proof. */
export const CONSISTENCY_FORMAT = "bourse-ledger-consistency/1";

/** Shows that an entry stands in a log. Texts are the very bytes that are hashed, in UTF-8. */
export interface EntryProof {
  /** A movement or an event, as canonical JSON (RFC 8785). */
  readonly entry: string;
  /** Its place in its batch, from 0. */
  readonly index: number;
  /** From the entry up to the root of its batch. */
  readonly path: readonly Uint8Array[];
  /** The batch, as canonical JSON: entries, previous_hash, recorded_at, root, sequence. */
  readonly batch: string;
  /** From the batch up to the root of the log. */
  readonly batchPath: readonly Uint8Array[];
  /** The state of the log, signed or not. */
  readonly checkpoint: string;
}

/** Where a check fails; in this order. */
export type ProofStep = "FORM" | "CHECKPOINT" | "SIGNATURE" | "ENTRY" | "BATCH" | "LOG";

/** What a check found. */
export type ProofVerdict =
  | {
      readonly ok: true;
      /** The entry that was proved. */
      readonly entry: JsonObject;
      /** The batch that it was written with. */
      readonly batch: BatchHeader;
      readonly checkpoint: Checkpoint;
    }
  | ProofFault;

/** Where and why a check failed. */
export interface ProofFault {
  readonly ok: false;
  readonly step: ProofStep;
  /** For people. */
  readonly problem: string;
}

/** What a batch says of itself. */
export interface BatchHeader {
  /** Its place among all batches, from 1. */
  readonly sequence: number;
  /** How many entries it bears. */
  readonly entries: number;
  /** RFC 3339. */
  readonly recordedAt: string;
  /** The root over its entries, 32 bytes. */
  readonly root: Buffer;
}

/** What a reader holds true beforehand. */
export interface Trust {
  /** A checkpoint from elsewhere: the proof's must be the same. */
  readonly checkpoint?: string | undefined;
  /** A verifier key that must have signed the proof's checkpoint. */
  readonly key?: string | undefined;
}

/** Writes a proof as the JSON document that `checkProof` reads. */
export function proofDocument(proof: EntryProof): JsonObject {
  return {
    format: PROOF_FORMAT,
    entry: proof.entry,
    entry_index: proof.index,
    entry_path: proof.path.map(hexOf),
    batch: proof.batch,
    batch_path: proof.batchPath.map(hexOf),
    checkpoint: proof.checkpoint,
  };
}

/** Writes a consistency proof as the JSON document that `checkConsistency` reads. */
export function consistencyDocument(proof: {
  readonly from: number;
  readonly to: number;
  readonly path: readonly Uint8Array[];
}): JsonObject {
  return {
    format: CONSISTENCY_FORMAT,
    from_size: proof.from,
    to_size: proof.to,
    path: proof.path.map(hexOf),
  };
}

/**
 * Checks a proof from its bytes alone: the entry's hash leads to the root of its batch, and the
 * batch's hash to the root of the checkpoint. Whether that checkpoint is the log's own is the
 * reader's knowledge: give a checkpoint or a key to trust, or compare it yourself.
 * @param document as it was parsed from JSON; anything is allowed
 */
export function checkProof(document: unknown, trust: Trust = {}): ProofVerdict {
  return verdictOf(() => {
    const proof = readProof(document);
    const checkpoint = trusted(proof.checkpoint, trust);
    const entry = readCanonical("ENTRY", proof.entry);
    const batch = readHeader(proof.batch);
    const place = { index: proof.index, size: batch.entries };
    const root = rootOfPath(leafHash(proof.entry), place, proof.path);
    if (root === undefined || !root.equals(batch.root)) {
      throw fault("BATCH", `the entry does not lead to the root of batch ${batch.sequence}`);
    }
    const leaf = leafHash(hash("sha256", proof.batch, "buffer"));
    const inLog = { index: batch.sequence - 1, size: checkpoint.size };
    const logRoot = rootOfPath(leaf, inLog, proof.batchPath);
    if (logRoot === undefined || !logRoot.equals(checkpoint.root)) {
      throw fault("LOG", `batch ${batch.sequence} does not lead to the root of the checkpoint`);
    }
    return { ok: true, entry, batch, checkpoint };
  });
}

/**
 * Checks that the log of one checkpoint is the beginning of that of another, so that nothing was
 * rewritten in between.
 * @param document as it was parsed from JSON; anything is allowed
 */
export function checkConsistency(
  older: string,
  newer: string,
  document: unknown,
  trust: Pick<Trust, "key"> = {},
): { readonly ok: true; readonly older: Checkpoint; readonly newer: Checkpoint } | ProofFault {
  return verdictOf(() => {
    const proof = readConsistency(document);
    const [from, to] = [trusted(older, trust), trusted(newer, trust)];
    if (from.origin !== to.origin) {
      throw fault("CHECKPOINT", `the checkpoints are of two logs: ${from.origin}, ${to.origin}`);
    }
    if (proof.from !== from.size || proof.to !== to.size) {
      const sizes = `${proof.from} and ${proof.to}, not ${from.size} and ${to.size}`;
      throw fault("CHECKPOINT", `the proof is about the sizes ${sizes}`);
    }
    if (!isConsistent(from, to, proof.path)) {
      throw fault("LOG", "the proof does not lead from the older root to the newer one");
    }
    return { ok: true, older: from, newer: to };
  });
}

/** Carries a fault to where the check began. */
class Faulty extends Error {
  readonly fault: ProofFault;

  constructor(found: ProofFault) {
    super(found.problem);
    this.fault = found;
  }
}

function fault(step: ProofStep, problem: string): Faulty {
  return new Faulty({ ok: false, step, problem });
}

function verdictOf<T>(check: () => T): T | ProofFault {
  try {
    return check();
  } catch (error) {
    if (error instanceof Faulty) return error.fault;
    if (error instanceof CheckpointError) {
      return { ok: false, step: "CHECKPOINT", problem: error.message };
    }
    throw error;
  }
}

function trusted(note: string, trust: Trust): Checkpoint {
  const checkpoint = parseCheckpoint(note);
  if (trust.checkpoint !== undefined) {
    const other = parseCheckpoint(trust.checkpoint);
    if (checkpointText(other) !== checkpointText(checkpoint)) {
      const sizes = `${checkpoint.size} of the proof, ${other.size} of yours`;
      throw fault("CHECKPOINT", `the proof is made for another checkpoint (sizes: ${sizes})`);
    }
  }
  if (trust.key !== undefined && !isSignedBy(note, trust.key)) {
    throw fault("SIGNATURE", "the checkpoint is not signed by the given key");
  }
  return checkpoint;
}

function readProof(document: unknown): EntryProof {
  const { format, ...members } = objectOf("FORM", document);
  if (format !== PROOF_FORMAT) throw fault("FORM", `the format is not ${PROOF_FORMAT}`);
  return {
    entry: textOf(members, "entry"),
    index: countOf("FORM", members, "entry_index"),
    path: hashesOf(members, "entry_path"),
    batch: textOf(members, "batch"),
    batchPath: hashesOf(members, "batch_path"),
    checkpoint: textOf(members, "checkpoint"),
  };
}

function readConsistency(document: unknown) {
  const { format, ...members } = objectOf("FORM", document);
  if (format !== CONSISTENCY_FORMAT) throw fault("FORM", `the format is not ${CONSISTENCY_FORMAT}`);
  return {
    from: countOf("FORM", members, "from_size"),
    to: countOf("FORM", members, "to_size"),
    path: hashesOf(members, "path"),
  };
}

function readHeader(text: string): BatchHeader {
  const header = readCanonical("BATCH", text);
  const sequence = header["sequence"];
  const root = header["root"];
  const recordedAt = header["recorded_at"];
  if (typeof sequence !== "string" || !/^[1-9][0-9]{0,15}$/.test(sequence)) {
    throw fault("BATCH", "the batch has no sequence");
  }
  if (typeof root !== "string" || !isHash(root)) throw fault("BATCH", "the batch has no root");
  if (typeof recordedAt !== "string") throw fault("BATCH", "the batch has no recorded_at");
  return {
    sequence: Number(sequence),
    entries: countOf("BATCH", header, "entries"),
    recordedAt,
    root: Buffer.from(root, "hex"),
  };
}

/** Two readers of a text that is not canonical may see two things in it. */
function readCanonical(step: ProofStep, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw fault(step, "not JSON");
    throw error;
  }
  const object = objectOf(step, value);
  if (canonicalJson(object) !== text) throw fault(step, "not canonical JSON (RFC 8785)");
  return object;
}

function objectOf(step: ProofStep, value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fault(step, "not a JSON object");
  }
  return value as JsonObject;
}

function textOf(members: JsonObject, name: string): string {
  const value = members[name];
  if (typeof value !== "string") throw fault("FORM", `${name} is not a text`);
  return value;
}

function countOf(step: ProofStep, members: JsonObject, name: string): number {
  const value = members[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw fault(step, `${name} is not a count`);
  }
  return value;
}

function hashesOf(members: JsonObject, name: string): readonly Buffer[] {
  const value: Json | undefined = members[name];
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string" && isHash(each))) {
    throw fault("FORM", `${name} is not a list of hashes in hex`);
  }
  return value.map((each) => Buffer.from(String(each), "hex"));
}

function isHash(text: string): boolean {
  return text.length === 2 * HASH_BYTES && /^[0-9a-f]+$/.test(text);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
