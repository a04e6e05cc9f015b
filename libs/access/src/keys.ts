import { link, mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { readPrivateKey } from "./signer.ts";

/** Where a market's keys are. */
export interface KeyFiles {
  /** The private key (JWK, mode 0600); whoever reads it can be anybody. */
  readonly keyFile: string;
  /** The public keys (JWKS); every service reads it. */
  readonly jwksFile: string;
}

/**
 * Makes sure that a directory holds `key.json` and a `jwks.json` with its public half, and names
 * both.
 *
 * Keys that exist are kept, so calling it again, or from several processes at once, changes
 * nothing. Other keys of the JWKS stay: to rotate, remove `key.json`, call this, and take the old
 * public key out when its tokens are gone.
 */
export async function generateKeys(directory: string): Promise<KeyFiles> {
  const files = { keyFile: join(directory, "key.json"), jwksFile: join(directory, "jwks.json") };
  await mkdir(directory, { recursive: true });
  await ensurePrivateKey(files.keyFile);
  await ensurePublished(files);
  return files;
}

async function ensurePrivateKey(keyFile: string): Promise<void> {
  if (await exists(keyFile)) return;
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(privateKey);
  const draft = await writeDraft(keyFile, {
    ...jwk,
    alg: "EdDSA",
    use: "sig",
    kid: await calculateJwkThumbprint(jwk),
  });
  try {
    // Unlike a rename, a link never replaces: of two processes that come here at once one key wins.
    await link(draft, keyFile);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
}

async function ensurePublished({ keyFile, jwksFile }: KeyFiles): Promise<void> {
  const { kty, crv, x, kid } = await readPrivateKey(keyFile);
  const published = await readPublished(jwksFile);
  if (published.some((key) => key.kid === kid)) return;
  const keys = [...published, { kty, crv, x, kid, alg: "EdDSA", use: "sig" }];
  const draft = await writeDraft(jwksFile, { keys }, 0o644);
  await rename(draft, jwksFile);
}

async function readPublished(jwksFile: string): Promise<readonly JWK[]> {
  try {
    const { keys } = JSON.parse(await readFile(jwksFile, "utf8")) as { keys: readonly JWK[] };
    return keys;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw new Error(`cannot read the JWKS file ${jwksFile}`, { cause: error });
  }
}

async function writeDraft(target: string, content: unknown, mode = 0o600): Promise<string> {
  const draft = `${target}.${process.pid}.${crypto.randomUUID()}`;
  const file = await open(draft, "wx", mode);
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, "r")).close();
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
