/** The currency of the bench. */
export const CURRENCY = "EUR";

/** What each account is given before anything is measured: more than it can ever spend. */
export const FUNDS_MICROS = 1_000_000_000_000n;

/** Which accounts take part. */
export interface Parties {
  /** At least two. */
  readonly accounts: number;
  /** Whether the first of them is a party of every trade, as often payer as provider. */
  readonly hot: boolean;
}

/** Who pays whom how much. */
export interface Trade {
  readonly payer: string;
  readonly provider: string;
  /** 1 to 1,000. */
  readonly micros: bigint;
}

/** The owner of the nth account. */
export function ownerOf(nth: number): string {
  return `bench-${nth}`;
}

/** A trade between two accounts that differ. */
export function drawTrade({ accounts, hot }: Parties, random: () => number): Trade {
  const one = hot ? 0 : Math.floor(random() * accounts);
  const other = (one + 1 + Math.floor(random() * (accounts - 1))) % accounts;
  const pays = random() < 0.5;
  return {
    payer: ownerOf(pays ? one : other),
    provider: ownerOf(pays ? other : one),
    micros: BigInt(1 + Math.floor(random() * 1_000)),
  };
}
