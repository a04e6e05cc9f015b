import type { MoneySchema } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";

export type MoneyInit = MessageInitShape<typeof MoneySchema>;

/** An amount of euros. */
export function eur(amount: number): MoneyInit {
  return money(amount, "EUR");
}

/** An amount of any currency, to the micro. */
export function money(amount: number, currencyCode: string): MoneyInit {
  return { micros: BigInt(Math.round(amount * 1_000_000)), currencyCode };
}
