import type { DescField } from "@bufbuild/protobuf";
import type { ReflectList, ReflectMessage } from "@bufbuild/protobuf/reflect";
import type { Duration } from "@bufbuild/protobuf/wkt";

/** True only for a value that certainly keeps a rule. */
export type Check = (value: unknown) => boolean;

/** Makes the check of a rule from what stands in the contract. */
type Rule = (argument: never, field: DescField | undefined) => Check | undefined;

const text = (check: (value: string) => boolean): Check => check as Check;

/** Lengths count code points, of which there are at most as many as code units, and at least half as many. */
const STRING: Readonly<Record<string, Rule>> = {
  minLen: (least: bigint) =>
    text((value) => value.length >= (least === 1n ? 1 : 2 * Number(least))),
  maxLen: (most: bigint) => text((value) => value.length <= most),
  pattern(pattern: string) {
    const compiled = new RegExp(pattern, "u");
    return text((value) => compiled.test(value));
  },
  notContains: (part: string) => text((value) => !value.includes(part)),
  uuid: (asked: boolean) => (asked ? text((value) => UUID.test(value)) : undefined),
  uri: (asked: boolean) => (asked ? text((value) => PLAIN_URI.test(value)) : undefined),
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** A name or an address as host, a port, and a path of unreserved characters: not all that is a URI. */
const PLAIN_URI = /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9.-]+(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]*)*$/;

/** Numbers and bigints alike; NaN keeps no bound. */
const NUMBER: Readonly<Record<string, Rule>> = {
  gt: (bound: number) => (value) => (value as number) > bound,
  gte: (bound: number) => (value) => (value as number) >= bound,
  lt: (bound: number) => (value) => (value as number) < bound,
  lte: (bound: number) => (value) => (value as number) <= bound,
  finite: () => (value) => Number.isFinite(value),
};

const DURATION: Readonly<Record<string, Rule>> = {
  gt: (bound: ReflectMessage) => longer(bound, (order) => order > 0),
  gte: (bound: ReflectMessage) => longer(bound, (order) => order >= 0),
  lt: (bound: ReflectMessage) => longer(bound, (order) => order < 0),
  lte: (bound: ReflectMessage) => longer(bound, (order) => order <= 0),
};

/** Only of durations in their proper form, which compare by seconds and then by nanoseconds. */
function longer(bound: ReflectMessage, holds: (order: number) => boolean): Check {
  const limit = bound.message as Duration;
  return (value) => {
    const { seconds, nanos } = value as Duration;
    if (seconds < 0n || nanos < 0 || nanos > 999_999_999) return false;
    const order = seconds === limit.seconds ? nanos - limit.nanos : Number(seconds - limit.seconds);
    return holds(order);
  };
}

const ENUM: Readonly<Record<string, Rule>> = {
  definedOnly(asked: boolean, field) {
    const desc = field !== undefined && "enum" in field ? field.enum : undefined;
    if (!asked || desc === undefined) return undefined;
    const known = new Set<unknown>(desc.values.map((value) => value.number));
    return (value) => known.has(value);
  },
  notIn(refused: ReflectList<number>) {
    const known = new Set<unknown>(refused);
    return (value) => !known.has(value);
  },
};

const LIST: Readonly<Record<string, Rule>> = {
  minItems: (least: bigint) => (value) => (value as readonly unknown[]).length >= least,
  maxItems: (most: bigint) => (value) => (value as readonly unknown[]).length <= most,
  unique: () => (value) => new Set(value as readonly unknown[]).size === (value as []).length,
};

const MAP: Readonly<Record<string, Rule>> = {
  minPairs: (least: bigint) => (value) => Object.keys(value as object).length >= least,
  maxPairs: (most: bigint) => (value) => Object.keys(value as object).length <= most,
};

const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  string: STRING,
  int32: NUMBER,
  int64: NUMBER,
  double: NUMBER,
  duration: DURATION,
  enum: ENUM,
  repeated: LIST,
  map: MAP,
};

/** The check of the rule `name` of `type`, such as `max_len` of `string`; undefined when it is not known here. */
export function checkOf(
  type: string,
  name: string,
  argument: unknown,
  field: DescField | undefined,
): Check | undefined {
  return RULES[type]?.[name]?.(argument as never, field);
}
