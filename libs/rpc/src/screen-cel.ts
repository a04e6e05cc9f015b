import { parse } from "@bufbuild/cel";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";

type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;
type Read = (self: unknown) => unknown;

/** What an expression gives: its type, and how it is read; undefined stands for what we cannot tell. */
interface Part {
  readonly type: "bool" | "int" | "double" | "string" | "duration" | "list" | "message";
  readonly desc?: DescMessage;
  readonly read: Read;
}

/** Above this many seconds the nanoseconds of a duration are no exact number. */
const EXACT_SECONDS_MAX = 9_000_000;

/**
 * Compiles a rule to a test of `this`, which is a message of `desc`: true only when the rule certainly holds.
 * Undefined when the rule uses anything else than what is known here: `&& || ! ?: == != < <= > >=`, has(), size(),
 * literals, duration('…s'), fields of messages.
 */
export function compileCel(
  expression: string,
  desc: DescMessage,
): ((self: unknown) => boolean) | undefined {
  const { expr } = parse(expression);
  const part = expr === undefined ? undefined : compile(expr, desc);
  if (part?.type === "bool") return (self) => part.read(self) === true;
  // A rule may answer with what is wrong; nothing is.
  if (part?.type === "string") return (self) => part.read(self) === "";
  return undefined;
}

function compile(expr: Expr, self: DescMessage): Part | undefined {
  const { exprKind } = expr;
  switch (exprKind.case) {
    case "constExpr":
      return constant(exprKind.value.constantKind.value);
    case "identExpr":
      if (exprKind.value.name !== "this") return undefined;
      return messagePart(self, (it) => it);
    case "selectExpr": {
      const { operand, field, testOnly } = exprKind.value;
      return operand && select(compile(operand, self), field, testOnly);
    }
    case "callExpr": {
      const { target, args, function: name } = exprKind.value;
      if (name === "duration") return durationOf(args[0]);
      if (name === "size") {
        const [list] = target === undefined ? args : [target];
        return sizeOf(list && compile(list, self));
      }
      return call(
        name,
        args.map((arg) => compile(arg, self)),
      );
    }
    default:
      return undefined;
  }
}

function constant(value: unknown): Part | undefined {
  const read = () => value;
  if (typeof value === "boolean") return { type: "bool", read };
  if (typeof value === "bigint") return { type: "int", read };
  if (typeof value === "number") return { type: "double", read };
  if (typeof value === "string") return { type: "string", read };
  return undefined;
}

function messagePart(desc: DescMessage, read: Read): Part {
  if (desc.typeName === "google.protobuf.Duration") {
    return { type: "duration", desc, read: (self) => nanosOf(read(self)) };
  }
  return { type: "message", desc, read };
}

/** Nanoseconds; undefined when they are no exact number, or the duration is not in its proper form. */
function nanosOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const { seconds, nanos } = value as Duration;
  const whole = Number(seconds);
  if (Math.abs(whole) > EXACT_SECONDS_MAX || Math.abs(nanos) > 999_999_999) return undefined;
  if (whole !== 0 && nanos !== 0 && whole > 0 !== nanos > 0) return undefined;
  return whole * 1e9 + nanos;
}

function durationOf(expr: Expr | undefined): Part | undefined {
  const part = expr?.exprKind.case === "constExpr" ? expr.exprKind.value.constantKind.value : "";
  const match = /^(\d{1,8})s$/.exec(String(part));
  if (match === null) return undefined;
  const nanos = Number(match[1]) * 1e9;
  return { type: "duration", read: () => nanos };
}

function sizeOf(part: Part | undefined): Part | undefined {
  if (part?.type !== "list") return undefined;
  return { type: "int", read: (self) => BigInt((part.read(self) as readonly unknown[]).length) };
}

function select(of: Part | undefined, name: string, testOnly: boolean): Part | undefined {
  const field =
    of?.type === "message" ? of.desc?.fields.find((one) => one.name === name) : undefined;
  if (of === undefined || field === undefined || field.oneof !== undefined) return undefined;
  // A field of a message that is absent is one that we cannot tell.
  const read = (self: unknown) => {
    const message = of.read(self) as (Message & Record<string, unknown>) | undefined;
    return message === undefined ? ABSENT : message[field.localName];
  };
  if (testOnly) {
    if (field.fieldKind !== "message") return undefined;
    return { type: "bool", read: (self) => told(read(self), (value) => value !== undefined) };
  }
  return partOf(field, (self) => told(read(self), (value) => value));
}

const ABSENT = Symbol("absent");

function told(value: unknown, of: (value: unknown) => unknown): unknown {
  return value === ABSENT ? undefined : of(value);
}

function partOf(field: DescField, read: Read): Part | undefined {
  switch (field.fieldKind) {
    case "message":
      return messagePart(field.message, read);
    case "list":
      return { type: "list", read };
    case "enum":
      return { type: "int", read: (self) => asBigInt(read(self)) };
    case "scalar":
      switch (field.scalar) {
        case ScalarType.STRING:
          return { type: "string", read };
        case ScalarType.BOOL:
          return { type: "bool", read };
        case ScalarType.DOUBLE:
          return { type: "double", read };
        case ScalarType.INT32:
        case ScalarType.INT64:
          return { type: "int", read: (self) => asBigInt(read(self)) };
        default:
          return undefined;
      }
    default:
      return undefined;
  }
}

function asBigInt(value: unknown): bigint | undefined {
  return typeof value === "number" ? BigInt(value) : (value as bigint | undefined);
}

type Comparable = number;
const COMPARISONS: Readonly<Record<string, (a: Comparable, b: Comparable) => boolean>> = {
  "_==_": (a, b) => a === b,
  "_!=_": (a, b) => a !== b,
  "_<_": (a, b) => a < b,
  "_<=_": (a, b) => a <= b,
  "_>_": (a, b) => a > b,
  "_>=_": (a, b) => a >= b,
};

/** Whether both are of a type whose values compare as those of the language do. */
function areComparable(a: Part, b: Part, name: string): boolean {
  const isEquality = name === "_==_" || name === "_!=_";
  if (a.type !== b.type || a.type === "message" || a.type === "list") return false;
  return isEquality || (a.type !== "string" && a.type !== "bool");
}

function call(name: string, args: readonly (Part | undefined)[]): Part | undefined {
  const [a, b, c] = args;
  if (name === "_?_:_") return a && conditional(a, b, c);
  const compare = COMPARISONS[name];
  if (compare !== undefined) {
    if (a === undefined || b === undefined || !areComparable(a, b, name)) return undefined;
    return {
      type: "bool",
      read: (self) => {
        const [one, other] = [a.read(self), b.read(self)];
        if (one === undefined || other === undefined) return undefined;
        return compare(one as Comparable, other as Comparable);
      },
    };
  }
  if (a?.type !== "bool") return undefined;
  if (name === "!_") return { type: "bool", read: (self) => not(a.read(self)) };
  if (b?.type !== "bool") return undefined;
  if (name === "_&&_") return { type: "bool", read: junction(a.read, b.read, false) };
  if (name === "_||_") return { type: "bool", read: junction(a.read, b.read, true) };
  return undefined;
}

function not(value: unknown): unknown {
  return value === undefined ? undefined : value !== true;
}

/** `&&` and `||`: one side that decides is enough, whatever the other is. */
function junction(one: Read, other: Read, decisive: boolean): Read {
  return (self) => {
    const first = one(self);
    if (first === decisive) return decisive;
    const second = other(self);
    if (second === decisive) return decisive;
    return first === undefined || second === undefined ? undefined : !decisive;
  };
}

/** A branch that is not known here, such as the text of a fault, is one that we cannot tell. */
function conditional(when: Part, then: Part | undefined, otherwise: Part | undefined) {
  const known = then ?? otherwise;
  if (when.type !== "bool" || known === undefined) return undefined;
  const read: Read = (self) => {
    const holds = when.read(self);
    if (holds === undefined) return undefined;
    return holds === true ? then?.read(self) : otherwise?.read(self);
  };
  return { type: known.type, read } satisfies Part;
}
