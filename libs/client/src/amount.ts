import { type Money, MoneySchema } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

const DECIMAL = /^(-?)(\d{1,10})(?:\.(\d{1,6}))?$/;
const MICROS_MAX = 9_000_000_000_000_000n;

/**
 * An exact amount of money, written as a decimal: `money("2.50", "EUR")`.
 * @throws RangeError when it is not one, has more than six decimals or is beyond nine billion
 */
export function money(amount: string, currencyCode: string): Money {
  const [, sign, whole, fraction = ""] = DECIMAL.exec(amount) ?? [];
  const size = whole === undefined ? undefined : BigInt(whole + fraction.padEnd(6, "0"));
  if (size === undefined || size > MICROS_MAX) {
    throw new RangeError(
      `"${amount}" is not an amount: write a decimal with up to six decimals, such as 2.50`,
    );
  }
  if (!/^[A-Z]{3,5}$/.test(currencyCode)) {
    throw new RangeError(`"${currencyCode}" is not a currency code, such as EUR or SAT`);
  }
  return create(MoneySchema, { micros: sign === "-" ? -size : size, currencyCode });
}

/** A span of seconds, to the millisecond. */
export function seconds(count: number): Duration {
  return durationFromMs(Math.round(count * 1_000));
}

/** A span of minutes, to the millisecond. */
export function minutes(count: number): Duration {
  return seconds(count * 60);
}

/** A span of hours, to the millisecond. */
export function hours(count: number): Duration {
  return minutes(count * 60);
}
