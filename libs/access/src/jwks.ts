import { readFile } from "node:fs/promises";
import { type CryptoKey, importJWK, type JWK } from "jose";

/** A public key and whom it may speak for. */
export interface VerificationKey {
  readonly key: CryptoKey;
  /** Principals the key may sign for; undefined means all. */
  readonly principals: ReadonlySet<string> | undefined;
}

/** The keys of a JWKS file, kept fresh. */
export interface KeySet {
  /** The key with this id, from a reading of the file that is at most `ageMs` old. */
  find(kid: string, ageMs: number): Promise<VerificationKey | undefined>;
  /**
   * Reads the file again when the last reading is older than `ageMs`; throws when none ever
   * succeeded.
   */
  refresh(ageMs: number): Promise<void>;
  /** Whether the last reading is less than `ageMs` old. */
  isFresh(ageMs: number): boolean;
}

/** Opens a JWKS file. `onChange` is called after a reading that differs from the one before. */
export function openKeySet(options: {
  readonly file: string;
  readonly now: () => Date;
  readonly onChange: () => void;
}): KeySet {
  let text: string | undefined;
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const startedMs = options.now().getTime();
    try {
      const fresh = await readFile(options.file, "utf8");
      if (fresh !== text) {
        keys = await parseKeys(fresh);
        text = fresh;
        options.onChange();
      }
    } catch (error) {
      // A file that is being replaced must not lock everybody out: the last good reading stays.
      if (text === undefined) throw unreadable(options.file, error);
    }
    readAtMs = startedMs;
  }

  // A clock that was set back is no reason to trust a reading for longer.
  const isFresh = (ageMs: number) => Math.abs(options.now().getTime() - readAtMs) < ageMs;

  async function refresh(ageMs: number): Promise<void> {
    if (isFresh(ageMs)) return;
    reading ??= read().finally(() => {
      reading = undefined;
    });
    await reading;
  }

  return {
    refresh,
    isFresh,
    async find(kid, ageMs) {
      await refresh(ageMs);
      return keys.get(kid);
    },
  };
}

async function parseKeys(text: string): Promise<ReadonlyMap<string, VerificationKey>> {
  const document: unknown = JSON.parse(text);
  const listed = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) throw new Error('no "keys" list');
  const keys = new Map<string, VerificationKey>();
  for (const jwk of listed as readonly (JWK & { principals?: unknown })[]) {
    // Keys of other kinds may stand in the file for other readers.
    if (typeof jwk.kid !== "string" || jwk.kty !== "OKP" || jwk.crv !== "Ed25519") continue;
    keys.set(jwk.kid, {
      key: (await importJWK({ kty: jwk.kty, crv: jwk.crv, x: jwk.x ?? "" }, "EdDSA")) as CryptoKey,
      principals: principalsOf(jwk.kid, jwk.principals),
    });
  }
  if (keys.size === 0) throw new Error("no Ed25519 key with a kid");
  return keys;
}

function principalsOf(kid: string, listed: unknown): ReadonlySet<string> | undefined {
  if (listed === undefined) return undefined;
  if (Array.isArray(listed) && listed.every((entry) => typeof entry === "string")) {
    return new Set(listed);
  }
  throw new Error(`"principals" of key ${kid} is no list of strings`);
}

function unreadable(file: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`cannot read the JWKS file ${file}: ${why}`, { cause });
}
