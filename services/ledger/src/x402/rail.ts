/** How an x402 payment is authorised: `exact` is EIP-3009, `upto` a Permit2 witness transfer. */
export type Scheme = "exact" | "upto";

/** A token that x402 payments name and the currency of the books that they are paid in. */
export interface Rail {
  readonly schemes: readonly Scheme[];
  /** CAIP-2: `eip155:` and the chain id. */
  readonly network: string;
  readonly chainId: bigint;
  /** The token's address, as it was configured. */
  readonly asset: string;
  /** Of the token's EIP-712 domain. */
  readonly name: string;
  /** Of the token's EIP-712 domain. */
  readonly version: string;
  /** The ledger currency. */
  readonly currency: string;
  /** The token has `10 ** decimals` atomic units. */
  readonly decimals: number;
  readonly maxTimeoutSeconds: number;
  /** The address that `upto` payments must name as their facilitator; "" without that scheme. */
  readonly facilitator: string;
}

/** The most micros that an amount of the market has. */
const MICROS_MAX = 9_000_000_000_000_000n;
const MICRO_DECIMALS = 6;

/** So many micros in atomic units of the rail's token, or undefined when that is not whole. */
export function toAtomic(rail: Pick<Rail, "decimals">, micros: bigint): bigint | undefined {
  return scale(micros, rail.decimals - MICRO_DECIMALS);
}

/**
 * So many atomic units in micros; undefined when that is not whole, or more than an amount of the
 * market can be.
 */
export function toMicros(rail: Pick<Rail, "decimals">, atomic: bigint): bigint | undefined {
  const micros = scale(atomic, MICRO_DECIMALS - rail.decimals);
  return micros === undefined || micros > MICROS_MAX ? undefined : micros;
}

function scale(amount: bigint, places: number): bigint | undefined {
  const factor = 10n ** BigInt(Math.abs(places));
  if (places >= 0) return amount * factor;
  return amount % factor === 0n ? amount / factor : undefined;
}

/** Whether two texts are one address: the case of its letters is only a checksum. */
export function sameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** The owner of the account that an address pays from and is paid to: itself, in lower case. */
export function ownerOf(address: string): string {
  return address.toLowerCase();
}

/** What a payer needs to know of a rail beside the requirements' own fields. */
export function extraOf(rail: Rail, scheme: Scheme): Readonly<Record<string, string>> {
  const { name, version, facilitator } = rail;
  return scheme === "exact"
    ? { name, version }
    : { name, version, facilitatorAddress: facilitator };
}
