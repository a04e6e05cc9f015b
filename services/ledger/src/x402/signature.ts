import { isXOnlyPoint, recover } from "tiny-secp256k1";
import { addressOf } from "./eip712.ts";

/** Half the order of secp256k1: of the two values of `s` that sign the same, only one is taken. */
const HALF_ORDER = 0x7fffffff_ffffffff_ffffffff_ffffffff_5d576e73_57a4501d_dfe92f46_681b20a0n;
const ORDER = 2n * HALF_ORDER + 1n;
const V_FIRST = 27;

/**
 * The address, in lower case, whose key signed a digest (32 bytes); undefined when the 65 bytes r,
 * s, v are no signature: v must be 27 or 28, r and s within the order, and s in its lower half, so
 * that nobody can make a second signature of one.
 */
export function signerOf(digest: Uint8Array, signature: Uint8Array): string | undefined {
  const recovery = (signature[64] ?? 0) - V_FIRST;
  if (digest.length !== 32 || signature.length !== 65) return undefined;
  if (recovery !== 0 && recovery !== 1) return undefined;
  const r = numberIn(signature, 0);
  const s = numberIn(signature, 32);
  if (r === 0n || r >= ORDER || s === 0n || s > HALF_ORDER) return undefined;
  // The library throws for an r that is on no point, which anybody may send.
  if (!isXOnlyPoint(signature.subarray(0, 32))) return undefined;
  const publicKey = recover(digest, signature.subarray(0, 64), recovery, false);
  return publicKey === null ? undefined : addressOf(publicKey);
}

function numberIn(bytes: Uint8Array, start: number): bigint {
  return BigInt(`0x${Buffer.from(bytes.subarray(start, start + 32)).toString("hex")}`);
}
