import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { HASH_BYTES } from "./merkle.ts";

// What a log says of itself at one size, as the C2SP texts tlog-checkpoint and signed-note have it:
//
//   bourse-ledger/6b0d...            the origin: which log
//   20852163                         how many leaves
//   CsUYapGGPo4dkMgIAUqom/Xajj7h...  the root, in base64
//
//   — bourse-ledger/6b0d... Az3grl...   signatures, if any, behind an empty line

/** The state of a log. */
export interface Checkpoint {
  /** Which log: at least one character, without white space and plus. */
  readonly origin: string;
  /** How many leaves it has. */
  readonly size: number;
  /** The root over them, 32 bytes. */
  readonly root: Uint8Array;
}

/** A text that is no checkpoint. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

const ED25519 = Buffer.of(0x01);
const KEY_HASH_BYTES = 4;
const ORIGIN = /^[^\s+]+$/u;
const SIGNATURE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

/** Writes a checkpoint, ending with a newline: these bytes are what is signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
}

/**
 * Signs a checkpoint with an Ed25519 key, in the name of its origin.
 * @returns the checkpoint and, behind an empty line, the signature
 */
export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  const text = checkpointText(checkpoint);
  const publicKey = rawKey(createPublicKey(privateKey));
  const keyHash = keyHashOf(checkpoint.origin, publicKey);
  const signature = Buffer.concat([keyHash, sign(null, Buffer.from(text), privateKey)]);
  return `${text}\n— ${checkpoint.origin} ${signature.toString("base64")}\n`;
}

/** What a stranger checks signatures with: `name+key hash+key`, as signed-note has it. */
export function verifierKey(name: string, key: KeyObject): string {
  const publicKey = rawKey(key.type === "private" ? createPublicKey(key) : key);
  const told = Buffer.concat([ED25519, publicKey]).toString("base64");
  return `${name}+${keyHashOf(name, publicKey).toString("hex")}+${told}`;
}

/**
 * Reads a checkpoint, signed or not; signatures are left alone. Lines behind the root belong to the
 * text but say nothing here.
 * @throws CheckpointError saying what is wrong
 */
export function parseCheckpoint(note: string): Checkpoint {
  const [origin = "", size = "", root = ""] = textOf(note).split("\n");
  if (!ORIGIN.test(origin)) throw new CheckpointError("a checkpoint begins with its origin");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) {
    throw new CheckpointError("the second line of a checkpoint is its size");
  }
  const bytes = Buffer.from(root, "base64");
  if (bytes.length !== HASH_BYTES || bytes.toString("base64") !== root) {
    throw new CheckpointError("the third line of a checkpoint is its root, 32 bytes in base64");
  }
  return { origin, size: Number(size), root: bytes };
}

/**
 * Whether a checkpoint bears a valid signature of a key.
 * @param key as `verifierKey` writes it
 * @throws CheckpointError when the key or the note cannot be read
 */
export function isSignedBy(note: string, key: string): boolean {
  const [name = "", told = "", encoded = ""] = splitKey(key);
  const typed = Buffer.from(encoded, "base64");
  const publicKey = typed.subarray(ED25519.length);
  const keyHash = keyHashOf(name, publicKey);
  if (typed.length !== 33 || typed[0] !== ED25519[0] || keyHash.toString("hex") !== told) {
    throw new CheckpointError("a verifier key has the form name+key hash+Ed25519 key");
  }
  const text = textOf(note);
  const lines = note.slice(text.length + 1).split("\n");
  return lines.some((line) => {
    const [, signer, base64 = ""] = SIGNATURE.exec(line) ?? [];
    const bytes = Buffer.from(base64, "base64");
    return (
      signer === name &&
      bytes.subarray(0, KEY_HASH_BYTES).equals(keyHash) &&
      verify(null, Buffer.from(text), keyOf(publicKey), bytes.subarray(KEY_HASH_BYTES))
    );
  });
}

/** The text of a note: up to the last empty line, or all of it when it bears no signatures. */
function textOf(note: string): string {
  const end = note.lastIndexOf("\n\n");
  const text = end < 0 ? note : note.slice(0, end + 1);
  if (!text.endsWith("\n")) throw new CheckpointError("a checkpoint ends with a newline");
  return text;
}

/** Names hold no plus; keys in base64 do. */
function splitKey(key: string): readonly string[] {
  return /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(key.trim())?.slice(1) ?? [];
}

function keyHashOf(name: string, publicKey: Uint8Array): Buffer {
  const told = Buffer.concat([Buffer.from(`${name}\n`), ED25519, publicKey]);
  return hash("sha256", told, "buffer").subarray(0, KEY_HASH_BYTES);
}

function rawKey(key: KeyObject): Buffer {
  const { crv, x } = key.export({ format: "jwk" });
  if (crv !== "Ed25519" || x === undefined) throw new CheckpointError("not an Ed25519 key");
  return Buffer.from(x, "base64url");
}

function keyOf(publicKey: Buffer): KeyObject {
  const jwk = { kty: "OKP", crv: "Ed25519", x: publicKey.toString("base64url") };
  return createPublicKey({ key: jwk, format: "jwk" });
}
