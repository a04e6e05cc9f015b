import { createHash } from "node:crypto";
import type { Money } from "../account.ts";
import { refuse } from "../refusal.ts";
import {
  type Authorization,
  messageOf,
  payloadOf,
  typedData,
  UPTO_SPENDER,
} from "./authorization.ts";
import { extraOf, ownerOf, type Rail, type Scheme, toAtomic } from "./rail.ts";

/** A payment that somebody asks to have prepared. */
export interface Preparation {
  /** What the nonce is made of: what may be paid only once. */
  readonly subject: readonly string[];
  readonly amount: Money;
  readonly scheme: Scheme;
  /** CAIP-2; "" for any. */
  readonly network: string;
  /** Addresses, or "" where they are not known. */
  readonly payer: string;
  readonly payTo: string;
}

/** PaymentRequirements of x402 v2. */
export interface PreparedRequirements {
  readonly scheme: Scheme;
  readonly network: string;
  readonly amount: string;
  readonly asset: string;
  readonly payTo: string;
  readonly maxTimeoutSeconds: number;
  readonly extra: Readonly<Record<string, string>>;
}

/** How a payment may be made. */
export interface Prepared {
  /** One for each rail that fits, in their order. */
  readonly accepts: readonly [PreparedRequirements, ...PreparedRequirements[]];
  /** For the first of them; undefined when the payer is not known. */
  readonly unsigned:
    | {
        readonly payload: ReturnType<typeof payloadOf>;
        readonly typedData: ReturnType<typeof typedData>;
      }
    | undefined;
}

/** Clocks differ: an authorization is good from so many seconds before now, as clients of x402 do. */
const EARLIER_S = 600;

/**
 * Finds the rails that a payment fits, and what its payer signs on the first of them. Throws, in
 * this order: PAYMENT_RAIL_NOT_FOUND, PAYMENT_ADDRESS_MISSING, AMOUNT_NOT_ATOMIC when it is so on
 * every rail.
 */
export function prepare(rails: readonly Rail[], preparation: Preparation, now: Date): Prepared {
  const { amount, scheme, network, payTo, payer } = preparation;
  const fitting = rails.filter(
    (rail) =>
      rail.currency === amount.currency &&
      rail.schemes.includes(scheme) &&
      (network === "" || rail.network === network),
  );
  if (fitting.length === 0) {
    const message = `no rail pays ${amount.currency} by ${scheme}${network && ` on ${network}`}`;
    const metadata = { currency: amount.currency, scheme, network };
    throw refuse("PAYMENT_RAIL_NOT_FOUND", message, { metadata });
  }
  if (payTo === "") {
    throw refuse("PAYMENT_ADDRESS_MISSING", "nobody said at which address the payee is paid");
  }
  const [first, ...rest] = fitting.flatMap((rail) => {
    const atomic = toAtomic(rail, amount.micros);
    return atomic === undefined ? [] : [{ rail, atomic }];
  });
  if (first === undefined) {
    const message = `${amount.micros} micros are no whole number of the token's atomic units`;
    throw refuse("AMOUNT_NOT_ATOMIC", message);
  }
  const required = ({ rail, atomic }: typeof first) =>
    requirementsOf(rail, scheme, { amount: String(atomic), payTo });
  return {
    accepts: [required(first), ...rest.map(required)],
    unsigned: payer === "" ? undefined : unsigned(first.rail, preparation, first.atomic, now),
  };
}

function requirementsOf(
  rail: Rail,
  scheme: Scheme,
  { amount, payTo }: { readonly amount: string; readonly payTo: string },
): PreparedRequirements {
  const { network, asset, maxTimeoutSeconds } = rail;
  return { scheme, network, amount, asset, payTo, maxTimeoutSeconds, extra: extraOf(rail, scheme) };
}

function unsigned(rail: Rail, preparation: Preparation, value: bigint, now: Date) {
  const { subject, scheme, payer, payTo } = preparation;
  const seconds = Math.floor(now.getTime() / 1_000);
  const authorization: Authorization = {
    scheme,
    from: payer,
    to: payTo,
    value,
    validAfter: BigInt(seconds - EARLIER_S),
    validBefore: BigInt(seconds + rail.maxTimeoutSeconds),
    nonce: createHash("sha256")
      .update(JSON.stringify(["x402", ...subject]))
      .digest("hex"),
    bound: { token: rail.asset, spender: UPTO_SPENDER, facilitator: rail.facilitator },
  };
  return {
    payload: payloadOf(authorization, ""),
    typedData: typedData(messageOf(rail, authorization)),
  };
}

/** The owner's id if it is an address, else "". */
export function addressIn(owner: string): string {
  return /^0x[0-9a-fA-F]{40}$/.test(owner) ? ownerOf(owner) : "";
}
