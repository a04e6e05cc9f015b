import { PPM, roundHalfEven } from "./ratio.ts";

/** Text that is not in the notation asked for; the message says what is. */
export class NotationError extends Error {
  override readonly name = "NotationError";
}

/** What a price is for, when its notation says so. */
export type MoneyPer = "task" | "decision";

/** An amount with its currency code. */
export interface Money {
  readonly micros: bigint;
  readonly currency: string;
}

const INT64_MAX = 9_223_372_036_854_775_807n;
const SYMBOLS: Readonly<Record<string, string>> = { "€": "EUR", $: "USD" };
const UNITS_MS: Readonly<Record<string, bigint>> = {
  h: 3_600_000n,
  m: 60_000n,
  s: 1_000n,
  ms: 1n,
};

const DURATION = /^(\d{1,15})(ms|s|m|h)$/;
const SYMBOL_MONEY = /^([€$])(\d+(?:\.\d+)?)(?:\/(task|decision))?$/;
const CODE_MONEY = /^(\d+(?:\.\d+)?) ?([A-Z]{3,5})(?:\/(task|decision))?$/;
const DECIMAL = /^(\d{1,13})(?:\.(\d{1,6}))?$/;

/** "20m", "45s", "1h" or "500ms" in milliseconds. Throws NotationError. */
export function parseDuration(text: string): bigint {
  const [, count, unit] = DURATION.exec(text.trim()) ?? [];
  const unitMs = unit === undefined ? undefined : UNITS_MS[unit];
  if (count === undefined || unitMs === undefined) {
    throw new NotationError(
      `${quote(text)} is not a duration: write a whole number and ms, s, m or h, as in 45s or 20m`,
    );
  }
  return BigInt(count) * unitMs;
}

/** The duration in the largest unit that says it exactly: "20m", "90s", "1h", "1500ms". */
export function formatDuration(ms: bigint): string {
  const [unit, unitMs] = Object.entries(UNITS_MS).find(([, size]) => ms % size === 0n) ?? [
    "ms",
    1n,
  ];
  return ms === 0n ? "0s" : `${ms / unitMs}${unit}`;
}

/**
 * "€2.50/task", "$0.80", "€3/decision", "2.50 EUR" or "100000 SAT", exact to the micro. Throws
 * NotationError.
 */
export function parseMoney(text: string): Money & { readonly per?: MoneyPer } {
  const trimmed = text.trim();
  const [, symbol = "", amountAfter, perAfter] = SYMBOL_MONEY.exec(trimmed) ?? [];
  const [, amountBefore, code, perBefore] = CODE_MONEY.exec(trimmed) ?? [];
  const amount = amountAfter ?? amountBefore;
  const currency = SYMBOLS[symbol] ?? code;
  if (amount === undefined || currency === undefined) {
    throw new NotationError(
      `${quote(text)} is not an amount of money: write € or $ and a number, as in €2.50 or ` +
        "$0.80/task, or a number and a currency code, as in 100000 SAT; " +
        "it may end in /task or /decision",
    );
  }
  const per = (perAfter ?? perBefore) as MoneyPer | undefined;
  return { micros: parseMicros(amount), currency, ...(per === undefined ? {} : { per }) };
}

/** A decimal number, not negative, with up to six decimals, in micros. Throws NotationError. */
export function parseMicros(text: string): bigint {
  const [, whole, fraction = ""] = DECIMAL.exec(text.trim()) ?? [];
  const micros = whole === undefined ? undefined : BigInt(whole + fraction.padEnd(6, "0"));
  if (micros === undefined || micros > INT64_MAX) {
    throw new NotationError(
      `${quote(text)} is not an amount: write digits with up to six decimals, as in 2.50, ` +
        `at most ${formatMicros(INT64_MAX, 6)}`,
    );
  }
  return micros;
}

/** "0.98" or "98%" in ppm, from 0 to 1. Throws NotationError. */
export function parseRatio(text: string): bigint {
  const trimmed = text.trim();
  const percent = trimmed.endsWith("%");
  const digits = percent ? trimmed.slice(0, -1) : trimmed;
  const scaled = DECIMAL.test(digits) ? parseMicros(digits) : undefined;
  const fits = scaled !== undefined && (!percent || scaled % 100n === 0n);
  const ppm = fits ? (percent ? scaled / 100n : scaled) : undefined;
  if (ppm === undefined || ppm > PPM) {
    throw new NotationError(
      `${quote(text)} is not a ratio: write a number from 0 to 1 with up to six decimals, ` +
        "as in 0.98, or a percentage, as in 98%",
    );
  }
  return ppm;
}

/**
 * "€2.50", "-$0.80", "100000 SAT": exact, with at least two decimals behind a currency sign.
 * `parseMoney` reads back what is not negative.
 */
export function formatMoney(micros: bigint, currency: string): string {
  const sign = micros < 0n ? "-" : "";
  const digits = formatMicros(micros < 0n ? -micros : micros, 6);
  const symbol = Object.keys(SYMBOLS).find((candidate) => SYMBOLS[candidate] === currency);
  if (symbol !== undefined) return `${sign}${symbol}${digits.replace(/0{1,4}$/, "")}`;
  return `${sign}${digits.replace(/\.?0+$/, "")} ${currency}`;
}

/** A fixed-point value with 0 to 6 decimals, rounded half to even: (574_000n, 4) is "0.5740". */
export function formatMicros(micros: bigint, decimals: number): string {
  if (!Number.isInteger(decimals) || decimals < 0 || decimals > 6) {
    throw new RangeError(`decimals is ${decimals}, must be an integer from 0 to 6`);
  }
  const rounded = roundHalfEven(micros, 10n ** BigInt(6 - decimals));
  const sign = rounded < 0n ? "-" : "";
  const digits = `${rounded < 0n ? -rounded : rounded}`.padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Quoted and cut, because it may come from anyone and ends up in messages. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
