import type { z } from "zod";
import { type Authorization, domainOf, messageOf } from "./authorization.ts";
import { domainSeparator, signingDigest } from "./eip712.ts";
import { type Rail, type Scheme, sameAddress, toMicros } from "./rail.ts";
import type { Code, Fault } from "./verdict.ts";
import {
  address,
  envelope,
  exactPayload,
  type Payment,
  payment,
  type Requirements,
  requirements,
  uptoPayload,
} from "./wire.ts";

/** A payment that could be read, and what is asked for by it; nothing of it is verified yet. */
export interface Claim {
  readonly rail: Rail;
  readonly authorization: Authorization;
  /** 0x and 130 hex digits. */
  readonly signature: string;
  /** What the signature has to be over. */
  readonly digest: Uint8Array;
  readonly payTo: string;
  /** Atomic units: at /verify the whole, at /settle what is to be paid. */
  readonly asked: bigint;
  /** The same in micros; zero only when an `upto` payment is settled for nothing. */
  readonly micros: bigint;
}

/** The network and the payer that a request names, as far as it can be read. */
export interface Named {
  readonly network: string;
  readonly payer: string | undefined;
}

/** Reads requests, with the domain separators of the rails at hand. */
export interface ClaimReader {
  /** What a request claims, or the first of its faults. */
  read(body: unknown): { readonly named: Named } & ({ readonly claim: Claim } | Refused);
}

interface Refused {
  readonly fault: Fault;
}

/**
 * Makes a reader for these rails. It finds, in this order: invalid_x402_version,
 * invalid_payment_requirements, invalid_payload, unsupported_scheme, invalid_scheme, then
 * invalid_payment_requirements (no EIP-712 name and version), invalid_network,
 * invalid_payment_requirements (another asset, name or version than the rail's),
 * unsupported_scheme (not on this rail), invalid_payload (of the scheme),
 * invalid_payment_requirements (an amount that the books cannot hold).
 */
export function claimReader(rails: readonly Rail[]): ClaimReader {
  const separators = new Map(
    rails.flatMap((rail) =>
      rail.schemes.map((scheme) => [keyOf(rail, scheme), domainSeparator(domainOf(rail, scheme))]),
    ),
  );
  return {
    read(body) {
      const named = namedIn(body);
      const parts = partsOf(body);
      if ("fault" in parts) return { named, ...parts };
      const found = railFor(rails, parts);
      if ("fault" in found) return { named, ...found };
      const { rail, scheme } = found;
      const separator = separators.get(keyOf(rail, scheme));
      if (separator === undefined) throw new TypeError("a rail has no domain separator");
      return { named, ...claimOf(rail, scheme, separator, parts) };
    },
  };
}

interface Parts {
  readonly required: Requirements;
  readonly paid: Payment;
}

function partsOf(body: unknown): Parts | Refused {
  const outer = envelope.safeParse(body);
  if (!outer.success) return malformed("invalid_payload", "the body is no JSON object");
  const { x402Version, paymentPayload, paymentRequirements } = outer.data;
  if (x402Version !== 2 || versionIn(paymentPayload) !== 2) {
    return malformed("invalid_x402_version", "x402Version must be 2");
  }
  const required = requirements.safeParse(paymentRequirements);
  if (!required.success) {
    const faults = faultsOf("paymentRequirements", required.error);
    return malformed("invalid_payment_requirements", faults);
  }
  const paid = payment.safeParse(paymentPayload);
  if (!paid.success) return malformed("invalid_payload", faultsOf("paymentPayload", paid.error));
  return { required: required.data, paid: paid.data };
}

function railFor(rails: readonly Rail[], { required, paid }: Parts) {
  const scheme = rails.flatMap((rail) => rail.schemes).find((one) => one === required.scheme);
  if (scheme === undefined) return refused("unsupported_scheme", "no rail has this scheme");
  if (paid.accepted.scheme !== scheme) {
    return refused("invalid_scheme", "another scheme was accepted than is required");
  }
  const { name, version } = required.extra ?? {};
  if (typeof name !== "string" || typeof version !== "string") {
    const message = "extra must hold the name and the version of the token's EIP-712 domain";
    return refused("invalid_payment_requirements", message);
  }
  const onNetwork = rails.filter((one) => one.network === required.network);
  if (onNetwork.length === 0) return refused("invalid_network", "no rail is on this network");
  if (paid.accepted.network !== required.network) {
    return refused("invalid_network", "another network was accepted than is required");
  }
  const rail = onNetwork.find((one) => sameAddress(one.asset, required.asset));
  if (rail === undefined || rail.name !== name || rail.version !== version) {
    const message = "no rail of this network has this asset with this name and version";
    return refused("invalid_payment_requirements", message);
  }
  if (!rail.schemes.includes(scheme)) {
    return refused("unsupported_scheme", "this asset is not paid by this scheme");
  }
  return { rail, scheme };
}

function claimOf(
  rail: Rail,
  scheme: Scheme,
  separator: Uint8Array,
  { required, paid }: Parts,
): { readonly claim: Claim } | Refused {
  const signed = scheme === "exact" ? readExact(paid.payload) : readUpto(paid.payload);
  if ("fault" in signed) return signed;
  const { authorization, signature } = signed;
  const micros = toMicros(rail, required.amount);
  if (micros === undefined) {
    const message = `the amount is no number of micros of ${rail.currency} that the books can hold`;
    return refused("invalid_payment_requirements", message);
  }
  const { structs, primary, values } = messageOf(rail, authorization);
  return {
    claim: {
      rail,
      authorization,
      signature,
      digest: signingDigest(separator, structs, primary, values),
      payTo: required.payTo,
      asked: required.amount,
      micros,
    },
  };
}

type Signed = { readonly authorization: Authorization; readonly signature: string } | Refused;

function readExact(payload: unknown): Signed {
  const read = exactPayload.safeParse(payload);
  if (!read.success) return malformed("invalid_payload", faultsOf("payload", read.error));
  const { signature, authorization } = read.data;
  const bound = { token: "", spender: "", facilitator: "" };
  return { signature, authorization: { scheme: "exact", ...authorization, bound } };
}

function readUpto(payload: unknown): Signed {
  const read = uptoPayload.safeParse(payload);
  if (!read.success) return malformed("invalid_payload", faultsOf("payload", read.error));
  const { signature, permit2Authorization } = read.data;
  const { from, permitted, spender, nonce, deadline, witness } = permit2Authorization;
  return {
    signature,
    authorization: {
      scheme: "upto",
      from,
      to: witness.to,
      value: permitted.amount,
      validAfter: witness.validAfter,
      validBefore: deadline,
      nonce,
      bound: { token: permitted.token, spender, facilitator: witness.facilitator },
    },
  };
}

function keyOf(rail: Rail, scheme: Scheme): string {
  return `${scheme} ${rail.network} ${rail.asset.toLowerCase()}`;
}

function refused(code: Code, message: string): Refused {
  return { fault: { code, message } };
}

function malformed(code: Code, message: string): Refused {
  return { fault: { code, message, malformed: true } };
}

function faultsOf(at: string, { issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${[at, ...path].join(".")}: ${message}`).join("; ");
}

function versionIn(value: unknown): unknown {
  return memberOf(value, "x402Version");
}

/** Only what has the form of a network and of an address is named, not whatever was sent. */
function namedIn(body: unknown): Named {
  const payload = memberOf(memberOf(body, "paymentPayload"), "payload");
  const named = memberOf(memberOf(body, "paymentRequirements"), "network");
  const signed = memberOf(payload, "authorization") ?? memberOf(payload, "permit2Authorization");
  const payer = address.safeParse(memberOf(signed, "from"));
  return {
    network: typeof named === "string" && NETWORK.test(named) ? named : "",
    payer: payer.success ? payer.data : undefined,
  };
}

const NETWORK = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/;

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
