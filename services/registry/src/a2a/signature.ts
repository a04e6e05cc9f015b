import { Rejection } from "@bourse/rpc/rejection";
import { flattenedVerify, importJWK, type JWK } from "jose";
import type { Reason } from "../reasons.ts";
import { isObject, type Json, plainForm, signedForm } from "./canonical.ts";
import { invalid } from "./card.ts";

type JsonObject = { readonly [name: string]: Json };

/** A signature of a card; not verified when its key was not given. */
export interface CheckedSignature {
  readonly keyId: string;
  readonly algorithm: string;
  readonly verified: boolean;
}

/** Signatures that anyone could make, or that name no key pair, are none. */
const ALGORITHMS = [
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
].concat("EdDSA", "Ed25519");
/** Each is checked twice at most, so that a card cannot keep us busy. */
const SIGNATURES_MAX = 8;

/**
 * Checks the signatures of a card (A2A 1.0, section 8.4.3) with the keys that the caller trusts, by their `kid`.
 * Nothing is fetched: a `jku` is a URL of the signer's choosing.
 * @throws Rejection INVALID_AGENT_CARD for what is no signature or no key set, INVALID_CARD_SIGNATURE for one that its
 * key does not verify, CARD_NOT_SIGNED when one is required and none was verified
 */
export async function checkSignatures(
  card: JsonObject,
  jwksJson: string,
  required: boolean,
): Promise<readonly CheckedSignature[]> {
  const keys = readKeys(jwksJson);
  const given = card["signatures"] ?? [];
  if (!Array.isArray(given) || given.length > SIGNATURES_MAX) {
    const description = `must be a list of at most ${SIGNATURES_MAX}`;
    throw invalid([{ field: "card.signatures", description }]);
  }
  const checked: CheckedSignature[] = [];
  for (const [nth, signature] of given.entries()) {
    checked.push(await checkOne(card, signature as Json, keys, nth));
  }
  if (required && !checked.some(({ verified }) => verified)) {
    const reason: Reason = "CARD_NOT_SIGNED";
    throw new Rejection(reason, "none of the keys that were given has signed the card");
  }
  return checked;
}

async function checkOne(
  card: JsonObject,
  signature: Json,
  keys: ReadonlyMap<string, JWK>,
  nth: number,
): Promise<CheckedSignature> {
  const field = `card.signatures[${nth}]`;
  const header = isObject(signature) ? headerOf(signature["protected"]) : undefined;
  const value = isObject(signature) ? signature["signature"] : undefined;
  const [keyId, algorithm] = [header?.["kid"], header?.["alg"]];
  if (typeof value !== "string" || typeof keyId !== "string" || typeof algorithm !== "string") {
    const description = "must have a signature, and a protected header with alg and kid";
    throw invalid([{ field, description }]);
  }
  const key = keys.get(keyId);
  if (key === undefined) return { keyId, algorithm, verified: false };
  const part = signature as { readonly protected: string };
  for (const payload of [signedForm(card), plainForm(card)]) {
    if (await verifies({ protected: part.protected, signature: value }, payload, key, algorithm)) {
      return { keyId, algorithm, verified: true };
    }
  }
  const reason: Reason = "INVALID_CARD_SIGNATURE";
  const description = `is not the key's whose kid is '${keyId.slice(0, 100)}'`;
  throw new Rejection(reason, `${field} ${description}`, {
    faults: [{ field, reason, description }],
  });
}

function headerOf(encoded: Json | undefined): JsonObject | undefined {
  if (typeof encoded !== "string") return undefined;
  try {
    const header = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8")) as Json;
    return isObject(header) ? header : undefined;
  } catch {
    return undefined;
  }
}

async function verifies(
  jws: { readonly protected: string; readonly signature: string },
  payload: string,
  key: JWK,
  algorithm: string,
): Promise<boolean> {
  try {
    const encoded = Buffer.from(payload, "utf8").toString("base64url");
    const algorithms = ALGORITHMS;
    await flattenedVerify({ ...jws, payload: encoded }, await importJWK(key, algorithm), {
      algorithms,
    });
    return true;
  } catch {
    return false;
  }
}

const KEYS_MAX = 32;

/** Public keys by their kid; secrets and keys without a kid are left out. */
function readKeys(jwksJson: string): ReadonlyMap<string, JWK> {
  if (jwksJson === "") return new Map();
  const fault = {
    field: "jwks_json",
    description: `must be a JWK set of at most ${KEYS_MAX} keys`,
  };
  let set: Json;
  try {
    set = JSON.parse(jwksJson) as Json;
  } catch {
    throw invalid([fault]);
  }
  const keys = isObject(set) ? set["keys"] : undefined;
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw invalid([fault]);
  const named = keys.flatMap((key: Json): [string, JWK][] => {
    if (!isObject(key) || typeof key["kid"] !== "string" || key["kty"] === "oct") return [];
    const { d: _, ...open } = key;
    return [[key["kid"], open as JWK]];
  });
  return new Map(named);
}
