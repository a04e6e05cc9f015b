import { type Domain, domainMembers, type Structs, type Values } from "./eip712.ts";
import type { Rail, Scheme } from "./rail.ts";

/** Uniswap's Permit2, at the same address on every chain. */
const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

/** The contract that may spend an `upto` permit (x402UptoPermit2Proxy), the same everywhere. */
export const UPTO_SPENDER = "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002";

/** What a payer agrees to by signing, in the same words for both schemes. */
export interface Authorization {
  readonly scheme: Scheme;
  /** The payer's address, as it was given. */
  readonly from: string;
  readonly to: string;
  /** Atomic units: the amount or, of `upto`, the most of it. */
  readonly value: bigint;
  /** Unix seconds. */
  readonly validAfter: bigint;
  /** Unix seconds. */
  readonly validBefore: bigint;
  /** 64 hex digits, in lower case. */
  readonly nonce: string;
  /** Of `upto`: the token, spender and facilitator that it is bound to. */
  readonly bound: {
    readonly token: string;
    readonly spender: string;
    readonly facilitator: string;
  };
}

/** What is signed: a message of EIP-712. */
export interface Message {
  readonly domain: Domain;
  readonly structs: Structs;
  readonly primary: string;
  readonly values: Values;
}

const TRANSFER: Structs = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
};

const PERMIT: Structs = {
  PermitWitnessTransferFrom: [
    { name: "permitted", type: "TokenPermissions" },
    { name: "spender", type: "address" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
    { name: "witness", type: "Witness" },
  ],
  TokenPermissions: [
    { name: "token", type: "address" },
    { name: "amount", type: "uint256" },
  ],
  Witness: [
    { name: "to", type: "address" },
    { name: "facilitator", type: "address" },
    { name: "validAfter", type: "uint256" },
  ],
};

/** The domain that the payer of a rail signs for. */
export function domainOf(rail: Rail, scheme: Scheme): Domain {
  const { chainId, name, version, asset } = rail;
  return scheme === "exact"
    ? { name, version, chainId, verifyingContract: asset }
    : { name: "Permit2", chainId, verifyingContract: PERMIT2 };
}

/** The message that a payer signs for an authorisation. */
export function messageOf(rail: Rail, authorization: Authorization): Message {
  const domain = domainOf(rail, authorization.scheme);
  return authorization.scheme === "exact"
    ? {
        domain,
        structs: TRANSFER,
        primary: "TransferWithAuthorization",
        values: transferValues(authorization),
      }
    : {
        domain,
        structs: PERMIT,
        primary: "PermitWitnessTransferFrom",
        values: permitValues(authorization),
      };
}

/** The message as wallets take it (`eth_signTypedData_v4`), with numbers as decimal strings. */
export function typedData({ domain, structs, primary, values }: Message) {
  return {
    types: { EIP712Domain: domainMembers(domain), ...structs },
    primaryType: primary,
    domain: { ...domain, chainId: Number(domain.chainId) },
    message: values,
  };
}

/** The scheme's own part of a PaymentPayload, with a signature. */
export function payloadOf(authorization: Authorization, signature: string) {
  return authorization.scheme === "exact"
    ? { signature, authorization: transferValues(authorization) }
    : {
        signature,
        permit2Authorization: { from: authorization.from, ...permitValues(authorization) },
      };
}

function transferValues(authorization: Authorization) {
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  return {
    from,
    to,
    value: String(value),
    validAfter: String(validAfter),
    validBefore: String(validBefore),
    nonce: `0x${nonce}`,
  };
}

function permitValues({ to, value, validAfter, validBefore, nonce, bound }: Authorization) {
  return {
    permitted: { token: bound.token, amount: String(value) },
    spender: bound.spender,
    nonce: String(BigInt(`0x${nonce}`)),
    deadline: String(validBefore),
    witness: { to, facilitator: bound.facilitator, validAfter: String(validAfter) },
  };
}
