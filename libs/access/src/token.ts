import type { Principal } from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import { errors, jwtVerify } from "jose";
import { type KeySet, openKeySet } from "./jwks.ts";
import { parsePrincipal } from "./principal.ts";

/** The `iss` and `aud` claims of every token. */
export const ISSUER = "bourse";

/** Verifies bearer tokens against a JWKS file and remembers those it has verified. */
export interface TokenVerifier {
  /**
   * The principal of a token: at once when the token is remembered and the keys were read a short
   * while ago. Throws or rejects with a Rejection with reason UNAUTHENTICATED.
   */
  verify(token: string): Principal | Promise<Principal>;
  /** Reads the key file now, so that a wrong one is found at start and not by the first caller. */
  load(): Promise<void>;
}

/** What is wrong with the credentials of a call; sent as metadata `problem`. */
export type TokenProblem =
  | "MISSING"
  | "MALFORMED"
  | "EXPIRED"
  | "NOT_YET_VALID"
  | "UNKNOWN_KEY"
  | "BAD_SIGNATURE"
  | "WRONG_ISSUER"
  | "WRONG_AUDIENCE"
  | "WRONG_SUBJECT"
  | "KEY_NOT_ALLOWED";

/**
 * The refusal of a call whose credentials are missing or wrong; it says what is wrong and how to
 * get a token.
 */
export function unauthenticated(problem: TokenProblem): Rejection {
  return new Rejection("UNAUTHENTICATED", `${PROBLEMS[problem]}; ${REMEDY}`, {
    metadata: { problem },
  });
}

/**
 * Opens a verifier. A token costs a signature check once and a map look-up after that, until it
 * expires.
 */
export function createVerifier(options: {
  readonly jwksFile: string;
  readonly now: () => Date;
  /** Tokens remembered; those that were verified first are forgotten first. */
  readonly cacheSize?: number;
}): TokenVerifier {
  const { now, cacheSize = 10_000 } = options;
  const verified = new Map<string, Verified>();
  let generation = 0;
  const onChange = (): void => {
    generation += 1;
    verified.clear();
  };
  const keys = openKeySet({ file: options.jwksFile, now, onChange });

  function remembered(token: string): Principal | undefined {
    const known = verified.get(token);
    if (known === undefined) return undefined;
    if (known.expiresMs > now().getTime()) return known.principal;
    verified.delete(token);
    throw unauthenticated("EXPIRED");
  }

  function remember(token: string, fresh: Verified): void {
    if (verified.size >= cacheSize) {
      const oldest = verified.keys().next();
      if (!oldest.done) verified.delete(oldest.value);
    }
    verified.set(token, fresh);
  }

  async function verify(token: string): Promise<Principal> {
    await keys.refresh(KEYS_AGE_MS);
    const known = remembered(token);
    if (known !== undefined) return known;
    const before = generation;
    const fresh = await verifyToken(token, keys, now());
    // Checked against keys that are no more: good for this call, and not to be remembered.
    if (before === generation) remember(token, fresh);
    return fresh.principal;
  }

  return {
    load: () => keys.refresh(0),
    verify: (token) => (keys.isFresh(KEYS_AGE_MS) ? remembered(token) : undefined) ?? verify(token),
  };
}

interface Verified {
  readonly principal: Principal;
  readonly expiresMs: number;
}

// A key taken out of the file loses its power within this time, also for tokens already seen.
const KEYS_AGE_MS = 10_000;
// Callers with made-up key ids must not make the server read files all day.
const KEYS_AGE_UNKNOWN_KID_MS = 2_000;
const TOKEN_LENGTH_MAX = 4_096;

const REMEDY =
  'get a token with "bourse token" and send it as metadata "authorization: Bearer <token>"';

const PROBLEMS: Readonly<Record<TokenProblem, string>> = {
  MISSING: "this method needs a bearer token and the call has none",
  MALFORMED: 'the authorization metadata is not "Bearer <JWT>" with an EdDSA token',
  EXPIRED: "the token has expired",
  NOT_YET_VALID: "the token is not valid yet",
  UNKNOWN_KEY: "the token is signed with a key that this market does not know",
  BAD_SIGNATURE: "the signature of the token is wrong",
  WRONG_ISSUER: `the token was not issued by "${ISSUER}"`,
  WRONG_AUDIENCE: `the token is not meant for "${ISSUER}"`,
  WRONG_SUBJECT:
    "the subject of the token is none of agent:<id>, operator, auditor and service:<name>",
  KEY_NOT_ALLOWED: "the key of the token may not sign for its subject",
};

async function verifyToken(token: string, keys: KeySet, now: Date): Promise<Verified> {
  if (token.length > TOKEN_LENGTH_MAX) throw unauthenticated("MALFORMED");
  let allowed: ReadonlySet<string> | undefined;
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid = "" }) => {
        const found =
          (await keys.find(kid, KEYS_AGE_MS)) ?? (await keys.find(kid, KEYS_AGE_UNKNOWN_KID_MS));
        if (found === undefined) throw unauthenticated("UNKNOWN_KEY");
        allowed = found.principals;
        return found.key;
      },
      {
        algorithms: ["EdDSA"],
        issuer: ISSUER,
        audience: ISSUER,
        requiredClaims: ["exp", "sub"],
        currentDate: now,
      },
    );
    // The key signs what it likes: a claim may be of any type.
    const subject = typeof payload.sub === "string" ? payload.sub : "";
    const principal = parsePrincipal(subject);
    if (principal === undefined || principal.kind === "anonymous") {
      throw unauthenticated("WRONG_SUBJECT");
    }
    if (allowed?.has(subject) === false) throw unauthenticated("KEY_NOT_ALLOWED");
    return { principal: Object.freeze(principal), expiresMs: (payload.exp ?? 0) * 1_000 };
  } catch (error) {
    const problem = problemOf(error);
    throw problem === undefined ? error : unauthenticated(problem);
  }
}

function problemOf(error: unknown): TokenProblem | undefined {
  if (error instanceof errors.JWTExpired) return "EXPIRED";
  if (error instanceof errors.JWTClaimValidationFailed) return CLAIMS[error.claim] ?? "MALFORMED";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "BAD_SIGNATURE";
  return error instanceof errors.JOSEError ? "MALFORMED" : undefined;
}

const CLAIMS: Readonly<Record<string, TokenProblem>> = {
  iss: "WRONG_ISSUER",
  aud: "WRONG_AUDIENCE",
  sub: "WRONG_SUBJECT",
  nbf: "NOT_YET_VALID",
};
