import { readFile } from "node:fs/promises";
import { importJWK, type JWK, SignJWT } from "jose";
import { parsePrincipal } from "./principal.ts";
import { ISSUER } from "./token.ts";

/** Makes tokens with one private key. */
export interface Signer {
  /**
   * A token for a principal such as `agent:a1`, `operator` or `service:ledger`, valid for whole
   * seconds > 0.
   */
  mint(principal: string, ttlSeconds: number): Promise<string>;
}

/**
 * Opens the private key that `generateKeys` wrote. Throws when the file holds no Ed25519 private
 * key with a kid.
 */
export async function createSigner(options: {
  readonly keyFile: string;
  readonly now?: () => Date;
}): Promise<Signer> {
  const { keyFile, now = () => new Date() } = options;
  const jwk = await readPrivateKey(keyFile);
  const key = await importJWK(jwk, "EdDSA");
  const header = { alg: "EdDSA", typ: "JWT", kid: jwk.kid };
  return {
    async mint(principal, ttlSeconds) {
      const parsed = parsePrincipal(principal);
      if (parsed === undefined || parsed.kind === "anonymous") {
        throw new RangeError(
          `"${principal}" is none of agent:<id>, operator, auditor and service:<name>`,
        );
      }
      if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds <= 0) {
        throw new RangeError(`a token cannot live for ${ttlSeconds} seconds`);
      }
      const issuedAt = Math.floor(now().getTime() / 1_000);
      return new SignJWT()
        .setProtectedHeader(header)
        .setIssuer(ISSUER)
        .setAudience(ISSUER)
        .setSubject(principal)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + ttlSeconds)
        .sign(key);
    },
  };
}

/**
 * Returns a function that gives the current token of a service: minted once, renewed when a quarter
 * of its life is left.
 */
export function serviceToken(
  signer: Signer,
  name: string,
  options: { readonly now?: () => Date; readonly ttlSeconds?: number } = {},
): () => Promise<string> {
  const { now = () => new Date(), ttlSeconds = 600 } = options;
  let current: Promise<string> | undefined;
  let renewAtMs = 0;
  return () => {
    const nowMs = now().getTime();
    if (current !== undefined && nowMs < renewAtMs) return current;
    renewAtMs = nowMs + ttlSeconds * 750;
    const minted = signer.mint(`service:${name}`, ttlSeconds);
    current = minted;
    minted.catch(() => {
      // A failure is told to those who waited for it and is not remembered.
      if (current === minted) current = undefined;
    });
    return minted;
  };
}

/**
 * Reads a private JWK; throws an error that names the file and what is wrong, never its content.
 */
export async function readPrivateKey(keyFile: string): Promise<JWK & { readonly kid: string }> {
  let jwk: JWK;
  try {
    jwk = JSON.parse(await readFile(keyFile, "utf8")) as JWK;
  } catch (error) {
    const why = error instanceof SyntaxError ? "it is no JSON" : String(error);
    throw new Error(`cannot read the key file ${keyFile}: ${why}`);
  }
  const { kty, crv, d, x, kid } = jwk ?? {};
  if (kty !== "OKP" || crv !== "Ed25519" || d === undefined || x === undefined || !kid) {
    throw new Error(`the key file ${keyFile} holds no Ed25519 private key with a kid`);
  }
  return { kty, crv, d, x, kid };
}
