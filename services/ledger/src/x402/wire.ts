import { z } from "zod";

/** 0x and twenty bytes; a checksum in the case of its letters is not looked at. */
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "must be an address: 0x and 40 hex digits");

const UINT256_LIMIT = 1n << 256n;

const uint256 = z
  .string()
  .regex(/^\d{1,78}$/, "must be a decimal number")
  .transform(BigInt)
  .refine((number) => number < UINT256_LIMIT, "must fit into 256 bits");

/** 65 bytes; whether they are a signature of anybody is for later. */
const signature = z.string().regex(/^0x[0-9a-fA-F]{130}$/, "must be 0x and 130 hex digits");

const bytes32 = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/, "must be 0x and 64 hex digits")
  .transform((text) => text.slice(2).toLowerCase());

/** Permit2 nonces are numbers; clients write them in decimal, the specification in hex. */
const numericNonce = z
  .union([bytes32, uint256.transform((number) => number.toString(16).padStart(64, "0"))])
  .describe("64 hex digits, in lower case");

/** What a payer of `exact` sends. */
export const exactPayload = z.object({
  signature,
  authorization: z.object({
    from: address,
    to: address,
    value: uint256,
    validAfter: uint256,
    validBefore: uint256,
    nonce: bytes32,
  }),
});

/** What a payer of `upto` sends. */
export const uptoPayload = z.object({
  signature,
  permit2Authorization: z.object({
    from: address,
    permitted: z.object({ token: address, amount: uint256 }),
    spender: address,
    nonce: numericNonce,
    deadline: uint256,
    witness: z.object({ to: address, facilitator: address, validAfter: uint256 }),
  }),
});

const filled = z.string().min(1);
const network = z
  .string()
  .min(3)
  .refine((text) => text.includes(":"), "must be in CAIP-2 form");
const members = z.record(z.string(), z.unknown());

/** PaymentRequirements of x402 v2, for a chain of the EVM. */
export const requirements = z.object({
  scheme: filled,
  network,
  amount: uint256,
  asset: address,
  payTo: address,
  maxTimeoutSeconds: z.number().positive(),
  extra: members.nullish(),
});

/** What a resource server requires for a resource. */
export type Requirements = z.output<typeof requirements>;

/** PaymentPayload of x402 v2; `payload` is read by its scheme. */
export const payment = z.object({
  x402Version: z.literal(2),
  resource: z
    .object({
      url: filled,
      description: z.string().nullish(),
      mimeType: z.string().nullish(),
      serviceName: label().nullish(),
      tags: z.array(label()).max(5).nullish(),
      iconUrl: z.string().max(2_048).nullish(),
    })
    .nullish(),
  accepted: z.object({
    scheme: filled,
    network,
    amount: filled,
    asset: filled,
    payTo: filled,
    maxTimeoutSeconds: z.number().positive(),
    extra: members.nullish(),
  }),
  payload: members,
  extensions: members.nullish(),
});

/** What a client sends to pay. */
export type Payment = z.output<typeof payment>;

/** The body of a request to the facilitator. */
export const envelope = z.object({
  x402Version: z.unknown().optional(),
  paymentPayload: z.unknown().optional(),
  paymentRequirements: z.unknown().optional(),
});

function label() {
  return z
    .string()
    .min(1)
    .max(32)
    .regex(/^[\x20-\x7e]+$/, "must be printable ASCII");
}
