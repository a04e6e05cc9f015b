import { type FieldRules, field as fieldRulesOf } from "@bourse/proto/buf/validate/validate_pb.ts";
import {
  create,
  type DescField,
  type DescMessage,
  getOption,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

/** Texts that keep the rules of one field or another, at their edges, and some that keep none. */
const TEXTS = [
  ...["", "a", "agent-1", "python", " Python ", "EUR", "SAT", "CRD", "r-1", "2026-11-21", "a2a"],
  ...["task-20261121-070000-0a1b2c3d", "0198c0de-0000-7000-8000-000000000000", "hold/1", "agent"],
  ...["erased-0a1b2c3d0a1b2c3d0a1b2c3d", "0".repeat(64), "eip155:8453", `0x${"0a".repeat(20)}`],
  ...["https://agent.example/a2a", "grpc://agent.example:443", "http://[::1]/?q=1", "no uri", "é"],
  ...["a b", "a\0b", "x".repeat(64), "x".repeat(65), "x".repeat(5_000), "😀".repeat(100)],
];

/** Messages of a type, most of whose fields keep their rules. */
export function anyMessage(desc: DescMessage, depth = 0): fc.Arbitrary<Message> {
  const members = new Map<string, fc.Arbitrary<unknown>>();
  for (const field of desc.fields) {
    const rules = getOption(field, fieldRulesOf);
    const value = anyValue(field, rules, depth);
    if (value === undefined) continue;
    if (field.oneof === undefined) {
      const isAlwaysThere = field.fieldKind === "list" || field.fieldKind === "map";
      members.set(field.localName, isAlwaysThere ? value : maybe(value, rules.required));
      continue;
    }
    const chosen = value.map((it) => ({ case: field.localName, value: it }));
    const others = members.get(field.oneof.localName);
    members.set(field.oneof.localName, others === undefined ? chosen : fc.oneof(others, chosen));
  }
  return fc.record(Object.fromEntries(members)).map((init) => create(desc, init));
}

function maybe(value: fc.Arbitrary<unknown>, required: boolean): fc.Arbitrary<unknown> {
  return fc.option(value, { nil: undefined, freq: required ? 50 : 3 });
}

const DEPTH_MAX = 4;

/** Undefined for what is left out. */
function anyValue(
  field: DescField,
  rules: FieldRules | undefined,
  depth: number,
): fc.Arbitrary<unknown> | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return anyScalar(field.scalar, rules);
    case "enum":
      return anyOf(
        field.enum.values.map((value) => value.number),
        [99, 0],
        rules,
      );
    case "message":
      return anyNested(field.message, rules, depth);
    case "list": {
      const { type } = rules ?? {};
      const { items = undefined, minItems = 0n } = type?.case === "repeated" ? type.value : {};
      const item =
        field.listKind === "message"
          ? anyNested(field.message, items, depth)
          : field.listKind === "enum"
            ? anyOf(
                field.enum.values.map((value) => value.number),
                [99, 0],
                items,
              )
            : anyScalar(field.scalar, items);
      const lists = (least: number) => item && fc.array(item, { minLength: least, maxLength: 3 });
      return lists(Number(minItems));
    }
    case "map": {
      const { keys, values } = rules?.type.case === "map" ? rules.type.value : {};
      const value = field.mapKind === "message" ? undefined : anyText(values);
      return value && fc.dictionary(anyText(keys), value, { maxKeys: 2 });
    }
  }
}

function anyNested(
  desc: DescMessage,
  rules: FieldRules | undefined,
  depth: number,
): fc.Arbitrary<unknown> | undefined {
  if (desc.typeName === DurationSchema.typeName) {
    return anyOf(SPANS, BAD_SPANS, rules).map((nanos) => {
      return create(desc, {
        seconds: nanos / 1_000_000_000n,
        nanos: Number(nanos % 1_000_000_000n),
      });
    });
  }
  if (desc.typeName === TimestampSchema.typeName) return fc.constant(create(desc));
  if (desc.typeName === "google.protobuf.FieldMask") {
    return fc.array(anyText(undefined), { maxLength: 2 }).map((paths) => create(desc, { paths }));
  }
  if (desc.typeName.startsWith("google.protobuf.") || depth > DEPTH_MAX) return undefined;
  return anyMessage(desc, depth + 1);
}

const SPANS = [1_000_000_000n, 5_000_000_000n, 60_000_000_000n];
const BAD_SPANS = [-1n, 0n, 1n, 31_536_000_000_000_000n, 31_536_000_000_000_001n];

/** Mostly of the usual ones that keep the plain rules of the field, now and then any. */
function anyOf<T>(
  usual: readonly T[],
  others: readonly T[],
  rules: FieldRules | undefined,
): fc.Arbitrary<T> {
  const good = usual.filter((value) => keeps(value, rules));
  const all = fc.constantFrom(...usual, ...others);
  if (good.length === 0) return all;
  return fc.oneof(
    { weight: 50, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: all },
  );
}

function keeps(value: unknown, rules: FieldRules | undefined): boolean {
  const type = rules?.type;
  if (type?.case === "string" && typeof value === "string") {
    const { pattern, minLen, maxLen, wellKnown } = type.value;
    if (wellKnown.case === "uuid") return /^[0-9a-f-]{36}$/.test(value);
    if (wellKnown.case === "uri") return value.includes("://");
    const isLong = maxLen !== 0n && value.length > maxLen;
    return new RegExp(pattern, "u").test(value) && value.length >= minLen && !isLong;
  }
  if (type?.case === "enum") return !type.value.notIn.includes(value as number);
  return true;
}

function anyText(rules: FieldRules | undefined): fc.Arbitrary<string> {
  return anyOf(TEXTS, [], rules);
}

function anyScalar(scalar: ScalarType, rules: FieldRules | undefined): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return anyText(rules);
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return anyOf([0.5, 0.75, 1], [-1, 0, 5, 1e9, Number.NaN, Number.POSITIVE_INFINITY], rules);
    case ScalarType.INT64:
      return anyOf([1n, 1_000_000n], [0n, -1n, 9_000_000_000_000_001n], rules);
    case ScalarType.BYTES:
      return fc.constantFrom(new Uint8Array(), new Uint8Array(32));
    default:
      return anyOf([1, 3], [0, 100, -1, 1_000_001], rules);
  }
}
