import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { signerOf } from "../../src/x402/signature.ts";
import { createSignatures } from "../../src/x402/signatures.ts";
import { authorizationOf, digestOf, RAIL, SPEC_SIGNATURE, walletOf } from "./vectors.ts";

const ORDER = secp256k1.Point.Fn.ORDER;

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.slice(2), "hex");
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

/** The signature with another `s` and `v`. */
function altered(signature: string, s: bigint, v: number): string {
  const word = s.toString(16).padStart(64, "0");
  return `${signature.slice(0, 66)}${word}${v.toString(16).padStart(2, "0")}`;
}

function sOf(signature: string): bigint {
  return BigInt(`0x${signature.slice(66, 130)}`);
}

test("the specification's example recovers to its payer", () => {
  const authorization = authorizationOf();
  const digest = digestOf(authorization);

  expect(hexOf(digest)).toBe("0xf256992871671abcb27ff92885a7afa46218724e5fc0bac35d050115aa1d22e6");
  expect(signerOf(digest, bytesOf(SPEC_SIGNATURE))).toBe(authorization.from.toLowerCase());
});

test.each([
  ["another amount", digestOf(authorizationOf({ value: 10_001n }))],
  ["another recipient", digestOf(authorizationOf({ to: `0x${"11".repeat(20)}` }))],
  ["another nonce", digestOf(authorizationOf({ nonce: "00".repeat(32) }))],
  ["another end", digestOf(authorizationOf({ validBefore: 1_740_672_155n }))],
  ["the token's other name", digestOf(authorizationOf(), { ...RAIL, name: "USD Coin" })],
  ["another version", digestOf(authorizationOf(), { ...RAIL, version: "1" })],
  ["another chain", digestOf(authorizationOf(), { ...RAIL, chainId: 8_453n })],
])("the example's signature is not its payer's for %s", (_what, digest) => {
  const payer = authorizationOf().from.toLowerCase();

  expect(signerOf(digest, bytesOf(SPEC_SIGNATURE))).not.toBe(payer);
});

test.each([
  [
    "exact",
    "0x50708d3bf7216e1aeabe7bf22081b9f36c7c287530f92510318f13a03d89dc86",
    "0xdc53a4a579de989368a0fae2ef2172ff2f474b4297013f865d171239f17ef4c3" +
      "157b4b4030f1bebc53d55ace15c2377dff501a60e1e56c291f1000d6e78f082f1b",
  ],
  [
    "upto",
    "0xfbd1aa4c3a22feabfff6843b7436cd814c3399158109c95453f9df29fbda8953",
    "0x1d8645a029995c4350cd9f3417b7fcd0a9dc77141ad7d96d9f280948b3de0d0b" +
      "073d513290009e997a4c70a01a9a1dfa69eb1e4b6e9f57e577f5b5bad4cf46611b",
  ],
] as const)(
  "what viem hashes and signs for %s is hashed and recovered alike",
  (scheme, hash, signed) => {
    const wallet = walletOf();
    const value = scheme === "upto" ? 20_000n : 10_000n;
    const digest = digestOf(authorizationOf({ scheme, value, from: wallet.address }));

    expect([hexOf(digest), wallet.sign(digest)]).toEqual([hash, signed]);
    expect(signerOf(digest, bytesOf(signed))).toBe("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
  },
);

const digest = digestOf(authorizationOf());

test.each([
  ["s in the upper half", altered(SPEC_SIGNATURE, ORDER - sOf(SPEC_SIGNATURE), 27)],
  ["s zero", altered(SPEC_SIGNATURE, 0n, 28)],
  ["s the order", altered(SPEC_SIGNATURE, ORDER, 28)],
  ["v 0", altered(SPEC_SIGNATURE, sOf(SPEC_SIGNATURE), 0)],
  ["v 1", altered(SPEC_SIGNATURE, sOf(SPEC_SIGNATURE), 1)],
  ["v 29", altered(SPEC_SIGNATURE, sOf(SPEC_SIGNATURE), 29)],
  ["r zero", `0x${"00".repeat(32)}${SPEC_SIGNATURE.slice(66)}`],
  ["r the order", `0x${ORDER.toString(16)}${SPEC_SIGNATURE.slice(66)}`],
  ["r on no point", `0x${"00".repeat(31)}05${SPEC_SIGNATURE.slice(66)}`],
  ["64 bytes", SPEC_SIGNATURE.slice(0, -2)],
  ["66 bytes", `${SPEC_SIGNATURE}00`],
  ["nothing", "0x"],
])("a signature with %s is none", (_what, signature) => {
  expect(signerOf(digest, bytesOf(signature))).toBeUndefined();
});

test("any key's signature recovers to its own address, and no other bytes throw", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.bigInt({ min: 1n, max: ORDER - 1n }),
      fc.uint8Array({ minLength: 65, maxLength: 65 }),
      (hash, key, noise) => {
        const wallet = walletOf(key.toString(16).padStart(64, "0"));
        expect(signerOf(hash, bytesOf(wallet.sign(hash)))).toBe(wallet.address);
        expect(() => signerOf(hash, noise)).not.toThrow();
      },
    ),
    { numRuns: 50 },
  );
});

test("signatures are checked in other threads, and too many at once are turned away", async () => {
  await using signatures = createSignatures({ threads: 1, waitingMax: 2 });
  const task = { digest, signature: SPEC_SIGNATURE };
  const payer = authorizationOf().from.toLowerCase();

  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () => signatures.signer(task)),
  );

  const kept = outcomes.filter((outcome) => outcome.status === "fulfilled");
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(kept.length).toBeGreaterThanOrEqual(2);
  expect(new Set(kept.map(({ value }) => value))).toEqual(new Set([payer]));
  expect(new Set(refused.map(({ reason }) => reason.reason))).toEqual(new Set(["LEDGER_BUSY"]));
  await expect(signatures.signer({ ...task, signature: "0x" })).resolves.toBeUndefined();
});
