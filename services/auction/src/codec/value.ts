import type { Money as MoneyMessage } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import { Rejection } from "@bourse/rpc/rejection";
import type { Money } from "@bourse/scoring";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";

/** The most bytes that a payload or an output may have as JSON. */
export const OBJECT_BYTES_MAX = 65_536;

/** The longest that a duration may be by its definition: 10,000 years. */
const DURATION_MS_MAX = 315_576_000_000_000n;

/**
 * Whole milliseconds; parts of one are cut off, and so is what no duration can be, lest it cannot
 * be told again.
 */
export function readDuration({ seconds, nanos }: Duration): bigint {
  const ms = seconds * 1_000n + BigInt(Math.trunc(nanos / 1_000_000));
  if (ms > DURATION_MS_MAX) return DURATION_MS_MAX;
  return ms < -DURATION_MS_MAX ? -DURATION_MS_MAX : ms;
}

/** A duration of milliseconds; negative ones too. */
export function writeDuration(ms: bigint): { seconds: bigint; nanos: number } {
  return { seconds: ms / 1_000n, nanos: Number(ms % 1_000n) * 1_000_000 };
}

/** An amount; absent is 0 of no currency, which no rule lets pass. */
export function readMoney(money: MoneyMessage | undefined): Money {
  return { micros: money?.micros ?? 0n, currency: money?.currencyCode ?? "" };
}

/** An amount as a message. */
export function writeMoney(micros: bigint, currencyCode: string) {
  return { micros, currencyCode };
}

/**
 * The JSON text of an object, the same for equal objects.
 * @throws Rejection INVALID_REQUEST when it is longer than OBJECT_BYTES_MAX
 */
export function readObject(object: JsonObject | undefined, field: string): string | undefined {
  if (object === undefined) return undefined;
  const text = JSON.stringify(sorted(object));
  const bytes = Buffer.byteLength(text);
  if (bytes <= OBJECT_BYTES_MAX) return text;
  const description = `must be at most ${OBJECT_BYTES_MAX} bytes as JSON, not ${bytes}`;
  throw new Rejection("INVALID_REQUEST", `${field} ${description}`, {
    faults: [{ field, reason: "OBJECT_TOO_LARGE", description }],
  });
}

/** The object of a JSON text. */
export function writeObject(text: string): JsonObject {
  return JSON.parse(text) as JsonObject;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}
