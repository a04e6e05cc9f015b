import { parsePaymentPayload, parsePaymentRequirements } from "@x402/core/schemas";
import { describe, expect, test } from "vitest";
import { type Claim, claimReader } from "../../src/x402/claim.ts";
import { type Rail, toAtomic, toMicros } from "../../src/x402/rail.ts";
import { signerOf } from "../../src/x402/signature.ts";
import { faultOf, type Phase } from "../../src/x402/verify.ts";
import { EXAMPLE_TIME, RAIL, requestOf, type WireRequest, walletOf } from "./vectors.ts";

const EXACT_ONLY: Rail = {
  ...RAIL,
  schemes: ["exact"],
  network: "eip155:8453",
  chainId: 8_453n,
  asset: `0x${"88".repeat(20)}`,
};
const reader = claimReader([RAIL, EXACT_ONLY]);
const wallet = walletOf();
const ADDRESS = `0x${"12".repeat(20)}`;

type Change = (request: WireRequest) => unknown;

/** What is found with a request, at the time of the specification's example. */
function verdict(body: unknown, phase: Phase = "verify", now: Date = EXAMPLE_TIME): string {
  const read = reader.read(body);
  if ("fault" in read) return read.fault.code;
  const signer = signerOf(read.claim.digest, signatureIn(read.claim));
  return faultOf(read.claim, phase, signer, now)?.code ?? "ok";
}

function signatureIn({ signature }: Claim): Uint8Array {
  return Buffer.from(signature.slice(2), "hex");
}

function changed(request: WireRequest, ...changes: readonly Change[]): unknown {
  const copy = structuredClone(request);
  let body: unknown = copy;
  for (const change of changes) body = change(copy) ?? body;
  return body;
}

function signedPart(request: WireRequest): Record<string, unknown> {
  const { payload } = request.paymentPayload;
  return (payload["authorization"] ?? payload["permit2Authorization"]) as Record<string, unknown>;
}

/** Sets members, so that the request has the fault of its row. */
const assign = (target: (request: WireRequest) => object, members: object): Change => {
  return (request) => {
    Object.assign(target(request), members);
  };
};
const required = (request: WireRequest) => request.paymentRequirements;
const accepted = (request: WireRequest) => request.paymentPayload.accepted;

/** In order of precedence: a request with the fault of a row and of all below has the row's. */
const EXACT_FAULTS: readonly (readonly [string, string, Change])[] = [
  ["invalid_payload", "no object", () => "a text"],
  ["invalid_x402_version", "version 1", assign((request) => request, { x402Version: 1 })],
  ["invalid_payment_requirements", "an amount with a point", assign(required, { amount: "1.5" })],
  [
    "invalid_payload",
    "no payload",
    (request) => {
      Reflect.deleteProperty(request.paymentPayload, "payload");
    },
  ],
  ["unsupported_scheme", "a scheme of nobody", assign(required, { scheme: "later" })],
  ["invalid_scheme", "another scheme accepted", assign(accepted, { scheme: "upto" })],
  ["invalid_payment_requirements", "no domain", assign(required, { extra: { name: "USDC" } })],
  ["invalid_network", "another network required", assign(required, { network: "eip155:1" })],
  ["invalid_network", "another network accepted", assign(accepted, { network: "eip155:8453" })],
  [
    "invalid_payment_requirements",
    "the token's other name",
    assign(required, { extra: { name: "USD Coin", version: "2" } }),
  ],
  ["invalid_payment_requirements", "another asset", assign(required, { asset: ADDRESS })],
  ["invalid_payload", "a short nonce", assign(signedPart, { nonce: "0x12" })],
  [
    "invalid_payment_requirements",
    "more than the books hold",
    assign(required, { amount: "9000000000000001" }),
  ],
  ["invalid_exact_evm_payload_signature", "another payer", assign(signedPart, { from: ADDRESS })],
  [
    "invalid_exact_evm_payload_recipient_mismatch",
    "another recipient",
    assign(required, { payTo: ADDRESS }),
  ],
];

describe("what is wrong with an exact payment", () => {
  const request = requestOf(wallet);

  test("is nothing when it is as it was signed, whatever the case of its addresses", () => {
    const lower = assign(required, {
      payTo: String(request.paymentRequirements["payTo"]).toLowerCase(),
    });
    const upper = assign(required, { asset: `0x${RAIL.asset.slice(2).toUpperCase()}` });

    expect(verdict(request)).toBe("ok");
    expect(verdict(changed(request, lower, upper))).toBe("ok");
  });

  test.each(EXACT_FAULTS.map(([code, what], nth) => [code, what, nth] as const))(
    "is %s for %s, and that comes before what follows",
    (code, _what, nth) => {
      const alone = EXACT_FAULTS[nth]?.[2] ?? (() => undefined);
      const rest = compatible(EXACT_FAULTS.slice(nth + 1));

      expect(verdict(changed(request, alone))).toBe(code);
      // From the back, so that where two rows change one member the first has the last word.
      expect(verdict(changed(request, ...rest.toReversed(), alone))).toBe(code);
    },
  );

  /** Without the rows that take away what others change. */
  function compatible(rows: typeof EXACT_FAULTS): readonly Change[] {
    return rows.filter(([, what]) => what !== "no payload").map(([, , change]) => change);
  }
});

test.each([
  ["before", 1_740_672_088, "invalid_exact_evm_payload_authorization_valid_after"],
  ["at the first second", 1_740_672_089, "ok"],
  ["six seconds before the end", 1_740_672_148, "ok"],
  ["later", 1_740_672_149, "invalid_exact_evm_payload_authorization_valid_before"],
])("an authorization %s of its window", (_what, seconds, code) => {
  for (const scheme of ["exact", "upto"] as const) {
    const now = new Date(seconds * 1_000 + 999);

    expect(verdict(requestOf(wallet, { scheme }), "verify", now)).toBe(code);
    expect(verdict(requestOf(wallet, { scheme }), "settle", now)).toBe(code);
  }
});

test("the end of the window comes before its beginning, and both before the amount", () => {
  const never = { validAfter: 1_740_673_000n, validBefore: 1n };
  const later = { validAfter: 1_740_673_000n, validBefore: 1_740_674_000n };

  expect(verdict(requestOf(wallet, never, { amount: "1" }))).toMatch(/valid_before$/);
  expect(verdict(requestOf(wallet, later, { amount: "1" }))).toMatch(/valid_after$/);
});

test.each([
  ["exact", "verify", "10001", "invalid_exact_evm_payload_authorization_value_mismatch"],
  ["exact", "settle", "9999", "invalid_exact_evm_payload_authorization_value_mismatch"],
  ["exact", "settle", "10000", "ok"],
  ["upto", "verify", "9999", "invalid_exact_evm_payload_authorization_value_mismatch"],
  ["upto", "verify", "10000", "ok"],
  ["upto", "settle", "10000", "ok"],
  ["upto", "settle", "1", "ok"],
  ["upto", "settle", "0", "ok"],
  ["upto", "settle", "10001", "invalid_upto_evm_payload_settlement_exceeds_amount"],
] as const)("10000 signed for %s: to %s %s", (scheme, phase, amount, code) => {
  expect(verdict(requestOf(wallet, { scheme }, { amount }), phase)).toBe(code);
});

test.each(["exact", "upto"] as const)("nothing at all cannot be promised by %s", (scheme) => {
  const request = requestOf(wallet, { scheme, value: 0n });

  expect(verdict(request)).toBe("invalid_payment_requirements");
});

test.each([
  ["token", { token: ADDRESS }],
  ["spender", { spender: ADDRESS }],
  ["facilitator", { facilitator: ADDRESS }],
])("a permit for another %s is refused", (_what, other) => {
  const { asset, facilitator } = RAIL;
  const spender = "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002";
  const bound = { token: asset, spender, facilitator, ...other };

  expect(verdict(requestOf(wallet, { scheme: "upto", bound }))).toBe("invalid_payload");
});

test("a payer cannot pay itself", () => {
  expect(verdict(requestOf(wallet, { to: wallet.address }))).toBe("invalid_payload");
});

test("a rail that does not know a scheme refuses it", () => {
  const { network, asset } = EXACT_ONLY;
  const rail = { network, asset };
  const request = requestOf(wallet, { scheme: "upto" }, rail);

  expect(verdict(changed(request, assign(accepted, rail)))).toBe("unsupported_scheme");
});

test("a nonce of upto is the same in decimal and in hex", () => {
  const request = requestOf(wallet, { scheme: "upto" });
  const hex = assign(signedPart, {
    nonce: `0x${BigInt(String(signedPart(request)["nonce"]))
      .toString(16)
      .padStart(64, "0")}`,
  });

  expect(verdict(changed(request, hex))).toBe("ok");
});

/** Payments and requirements that break a rule of the specification's shape. */
const MISSHAPEN: readonly (readonly [string, Change])[] = [
  ["no scheme", assign(accepted, { scheme: "" })],
  ["no CAIP-2 network", assign(accepted, { network: "base" })],
  ["no amount", assign(accepted, { amount: "" })],
  ["an amount that is a number", assign(accepted, { amount: 1 })],
  ["no asset", assign(accepted, { asset: "" })],
  ["no recipient", assign(accepted, { payTo: "" })],
  ["no time", assign(accepted, { maxTimeoutSeconds: 0 })],
  ["a time that is a text", assign(accepted, { maxTimeoutSeconds: "60" })],
  ["a list as extra", assign(accepted, { extra: [] })],
  ["a resource without URL", assign((request) => request.paymentPayload, { resource: {} })],
  ["a list as payload", assign((request) => request.paymentPayload, { payload: [] })],
];

test.each(MISSHAPEN)("what the specification's schemas refuse is refused: %s", (_what, change) => {
  const request = requestOf(wallet);
  const copy = changed(request, change) as WireRequest;

  expect(parsePaymentPayload(copy.paymentPayload).success).toBe(false);
  expect(verdict(copy)).toBe("invalid_payload");

  const required = { ...request, paymentRequirements: copy.paymentPayload.accepted };
  if (parsePaymentRequirements(required.paymentRequirements).success) return;
  expect(verdict(required)).toBe("invalid_payment_requirements");
});

test("what the specification's schemas take beside what is needed is taken", () => {
  const request = requestOf(wallet);
  Object.assign(request.paymentPayload, { resource: null, extensions: { later: { info: {} } } });

  expect(parsePaymentPayload(request.paymentPayload).success).toBe(true);
  expect(parsePaymentRequirements(request.paymentRequirements).success).toBe(true);
  expect(verdict(request)).toBe("ok");
});

test.each([
  [6, 1_500_000n, 1_500_000n],
  [18, 1_500_000_000_000n, 1n],
  [18, 1_500_000_000_000_000_000n, 1_500_000n],
  [2, 150n, 1_500_000n],
  [0, 3n, 3_000_000n],
])(
  "with %i decimals %s atomic units are %s micros, or none when that is not whole",
  (decimals, atomic, micros) => {
    const isWhole = (toAtomic({ decimals }, micros) ?? -1n) === atomic;

    expect(toMicros({ decimals }, atomic)).toBe(isWhole ? micros : undefined);
    expect(toMicros({ decimals }, 10n ** 60n)).toBeUndefined();
  },
);
