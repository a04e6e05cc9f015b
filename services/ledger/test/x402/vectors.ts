import { secp256k1 } from "@noble/curves/secp256k1.js";
import {
  type Authorization,
  domainOf,
  messageOf,
  payloadOf,
  UPTO_SPENDER,
} from "../../src/x402/authorization.ts";
import { addressOf, domainSeparator, signingDigest } from "../../src/x402/eip712.ts";
import { extraOf, type Rail } from "../../src/x402/rail.ts";

/** The token of the specification's examples, paid in USDC one to one. */
export const RAIL: Rail = {
  schemes: ["exact", "upto"],
  network: "eip155:84532",
  chainId: 84_532n,
  asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  name: "USDC",
  version: "2",
  currency: "USDC",
  decimals: 6,
  maxTimeoutSeconds: 60,
  facilitator: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
};

/** A token of another chain that has hundredths only. */
export const CENT_RAIL: Rail = {
  ...RAIL,
  schemes: ["exact"],
  network: "eip155:8453",
  chainId: 8_453n,
  asset: `0x${"88".repeat(20)}`,
  decimals: 2,
};

/** The key that development chains give their first account, known to everybody. */
const FIRST_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/** A payer with a key. */
export interface Wallet {
  readonly address: string;
  sign(digest: Uint8Array): string;
}

/** The wallet of a private key in hex; of the well-known one when none is given. */
export function walletOf(key: string = FIRST_KEY): Wallet {
  const secret = Buffer.from(key, "hex");
  return {
    address: addressOf(secp256k1.getPublicKey(secret, false)),
    sign(digest) {
      const options = { prehash: false, format: "recovered" } as const;
      const [recovery = 0, ...numbers] = secp256k1.sign(digest, secret, options);
      return `0x${Buffer.from([...numbers, recovery + 27]).toString("hex")}`;
    },
  };
}

/** The seconds of the specification's example, at which its authorization is valid. */
export const EXAMPLE_TIME = new Date(1_740_672_100_000);

/** What the specification's example authorises, but for what is given. */
export function authorizationOf(fields: Partial<Authorization> = {}): Authorization {
  return {
    scheme: "exact",
    from: "0x857b06519E91e3A54538791bDbb0E22373e36b66",
    to: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
    value: 10_000n,
    validAfter: 1_740_672_089n,
    validBefore: 1_740_672_154n,
    nonce: "f3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480",
    bound: { token: RAIL.asset, spender: UPTO_SPENDER, facilitator: RAIL.facilitator },
    ...fields,
  };
}

/** Printed in the specification of x402 v2, section 5.2.1. */
export const SPEC_SIGNATURE =
  "0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a12832597641736" +
  "08a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c";

const SPEC_REQUIREMENTS = {
  scheme: "exact",
  network: "eip155:84532",
  amount: "10000",
  asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  payTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
  maxTimeoutSeconds: 60,
  extra: { name: "USDC", version: "2" },
};

/** The specification's example as a facilitator gets it: sections 5.2.1 and 7.1, word for word. */
export const SPEC_REQUEST = {
  x402Version: 2,
  paymentPayload: {
    x402Version: 2,
    resource: {
      url: "https://api.example.com/premium-data",
      description: "Access to premium market data",
      mimeType: "application/json",
    },
    accepted: SPEC_REQUIREMENTS,
    payload: {
      signature: SPEC_SIGNATURE,
      authorization: {
        from: "0x857b06519E91e3A54538791bDbb0E22373e36b66",
        to: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
        value: "10000",
        validAfter: "1740672089",
        validBefore: "1740672154",
        nonce: "0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480",
      },
    },
    extensions: {},
  },
  paymentRequirements: SPEC_REQUIREMENTS,
};

/** What has to be signed for an authorisation. */
export function digestOf(authorization: Authorization, rail: Rail = RAIL): Uint8Array {
  const { structs, primary, values } = messageOf(rail, authorization);
  const separator = domainSeparator(domainOf(rail, authorization.scheme));
  return signingDigest(separator, structs, primary, values);
}

/** A request to the facilitator, as it goes over the wire. */
export interface WireRequest {
  x402Version: number;
  paymentPayload: {
    x402Version: number;
    resource?: Record<string, unknown>;
    accepted: Record<string, unknown>;
    payload: Record<string, unknown>;
  };
  paymentRequirements: Record<string, unknown>;
}

/** What a resource server of the rail requires, but for what is given. */
export function requirementsOf(fields: Record<string, unknown> = {}, rail: Rail = RAIL) {
  const scheme = fields["scheme"] === "upto" ? "upto" : "exact";
  return {
    scheme,
    network: rail.network,
    amount: "10000",
    asset: rail.asset,
    payTo: authorizationOf().to,
    maxTimeoutSeconds: 60,
    extra: extraOf(rail, scheme),
    ...fields,
  };
}

/** A request whose payment a wallet has signed; of `upto` it asks for the most at first. */
export function requestOf(
  wallet: Wallet,
  fields: Partial<Authorization> = {},
  required: Record<string, unknown> = {},
  rail: Rail = RAIL,
): WireRequest {
  const authorization = authorizationOf({ from: wallet.address, ...fields });
  const { scheme, value, to } = authorization;
  const accepted = requirementsOf({ scheme, amount: String(value), payTo: to }, rail);
  return {
    x402Version: 2,
    paymentPayload: {
      x402Version: 2,
      resource: { url: "https://api.example.com/premium-data", mimeType: "application/json" },
      accepted,
      payload: { ...payloadOf(authorization, wallet.sign(digestOf(authorization, rail))) },
    },
    paymentRequirements: { ...accepted, ...required },
  };
}
