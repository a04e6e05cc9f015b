/** One whole in fixed point: ratios, probabilities and scores count in millionths (ppm). */
export const PPM = 1_000_000n;

/** An exact quotient; the denominator is positive. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** `numerator / denominator` to the nearest integer, a tie to the even one; denominator > 0. */
export function roundHalfEven(numerator: bigint, denominator: bigint): bigint {
  const floor = floorDivide(numerator, denominator);
  const twice = 2n * (numerator - floor * denominator);
  if (twice < denominator) return floor;
  if (twice > denominator) return floor + 1n;
  return floor % 2n === 0n ? floor : floor + 1n;
}

/** `numerator / denominator` rounded towards minus infinity; the denominator is > 0. */
export function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator % denominator < 0n ? quotient - 1n : quotient;
}

/** `numerator / denominator` rounded towards plus infinity; the denominator is > 0. */
export function ceilDivide(numerator: bigint, denominator: bigint): bigint {
  return -floorDivide(-numerator, denominator);
}

/** The exact sum. */
export function sumRatios(ratios: readonly Ratio[]): Ratio {
  const denominator = ratios.reduce((product, ratio) => product * ratio.denominator, 1n);
  const numerator = ratios.reduce(
    (sum, ratio) => sum + ratio.numerator * (denominator / ratio.denominator),
    0n,
  );
  return { numerator, denominator };
}

/**
 * Rounds the exact sum once, then shares it out so that the integers add up to it: each part is
 * rounded down and the units left over go to the largest remainders, the earlier part on a tie.
 * A part that is whole stays exact; no part is off by a unit or more.
 */
export function roundTogether(parts: readonly Ratio[]): { total: bigint; shares: bigint[] } {
  const { numerator, denominator } = sumRatios(parts);
  const total = roundHalfEven(numerator, denominator);
  const shares = parts.map((part) => floorDivide(part.numerator, part.denominator));
  const leftOver = total - shares.reduce((sum, share) => sum + share, 0n);
  const byRemainder = parts
    .map((part, index) => {
      const exact = part.numerator * (denominator / part.denominator);
      return { index, remainder: exact - (shares[index] ?? 0n) * denominator };
    })
    .sort((a, b) => compare(b.remainder, a.remainder) || a.index - b.index);
  for (const { index } of byRemainder.slice(0, Number(leftOver))) {
    shares[index] = (shares[index] ?? 0n) + 1n;
  }
  return { total, shares };
}

/** The largest integer whose square does not exceed `value`, which is >= 0. */
export function integerSqrt(value: bigint): bigint {
  within("value", value, 0n);
  if (value < 2n) return value;
  let guess = 1n << BigInt(Math.ceil((value.toString(16).length * 4) / 2));
  for (;;) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** The value, or the bound it lies beyond. */
export function clamp(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low) return low;
  return value > high ? high : value;
}

/** -1, 0 or 1, as `Array.prototype.sort` wants it. */
export function compare<T extends bigint | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Returns the value; throws RangeError, with the name of the value, outside `low..high`. */
export function within(name: string, value: bigint, low: bigint, high?: bigint): bigint {
  if (value >= low && (high === undefined || value <= high)) return value;
  const allowed = high === undefined ? `at least ${low}` : `from ${low} to ${high}`;
  throw new RangeError(`${name} is ${value}, must be ${allowed}`);
}

/** A JavaScript number (0.98) in ppm (980_000n), nearest; throws RangeError unless finite. */
export function toPpm(ratio: number): bigint {
  if (!Number.isFinite(ratio)) throw new RangeError(`ratio is ${ratio}, must be a finite number`);
  return BigInt(Math.round(ratio * Number(PPM)));
}

/** Ppm as a JavaScript number, for contracts that carry ratios as doubles and for display. */
export function fromPpm(ppm: bigint): number {
  return Number(ppm) / Number(PPM);
}
