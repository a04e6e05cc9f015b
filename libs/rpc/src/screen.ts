import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRulesOf,
  Ignore,
  message as messageRulesOf,
  oneof as oneofRulesOf,
} from "@bourse/proto/buf/validate/validate_pb.ts";
import { type DescField, type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { Edition, FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import { compileCel } from "./screen-cel.ts";
import { type Check, checkOf } from "./screen-rules.ts";

/** Tells at a glance that a message keeps all rules of its contract. False says only: look closely. */
export type Screen = (message: Message) => boolean;

const screens = new Map<DescMessage, Screen>();

/**
 * The screen of a message type. Most requests are valid, and a validator that must be able to name each fault reads
 * them through reflection at some ten times the cost; so it is only asked about what does not pass here. A type with
 * a rule that is not known here has a screen that nothing passes.
 */
export function screenOf(desc: DescMessage): Screen {
  const known = screens.get(desc);
  if (known !== undefined) return known;
  const screen = create(desc);
  screens.set(desc, screen);
  return screen;
}

function create(desc: DescMessage): Screen {
  try {
    const check = createCompiler()(desc);
    return check === undefined ? () => true : (message) => check(message);
  } catch (error) {
    if (error instanceof UnknownRule) return () => false;
    throw error;
  }
}

class UnknownRule extends Error {
  override readonly name = "UnknownRule";
}

/** Undefined for what needs no look. */
type Compiled = Check | undefined;

function createCompiler(): (desc: DescMessage) => Compiled {
  const compiled = new Map<DescMessage, Compiled>();

  function message(desc: DescMessage): Compiled {
    if (desc.typeName.startsWith("google.protobuf.")) return undefined;
    if (desc.file.edition !== Edition.EDITION_PROTO3) throw new UnknownRule(desc.typeName);
    if (compiled.has(desc)) return compiled.get(desc);
    // For a type that holds itself; it is replaced before anything is checked.
    let self: Check = () => false;
    compiled.set(desc, (value) => self(value));
    const rules = getOption(desc, messageRulesOf);
    if (rules.oneof.length > 0 || rules.celExpression.length > 0) throw new UnknownRule();
    const checks = [
      ...desc.fields.map(field),
      ...rules.cel.map(({ expression }) => cel(expression, desc)),
      ...desc.oneofs.map((oneof) => {
        if (!getOption(oneof, oneofRulesOf).required) return undefined;
        return inside(oneof.localName, (value) => (value as { case?: string }).case !== undefined);
      }),
    ];
    const check = all(checks);
    if (check === undefined) compiled.set(desc, undefined);
    else self = check;
    return check;
  }

  function field(field: DescField): Compiled {
    const rules = getOption(field, fieldRulesOf);
    if (rules.ignore === Ignore.ALWAYS) return undefined;
    if (rules.ignore !== Ignore.UNSPECIFIED) throw new UnknownRule();
    const check = value(field, rules);
    const { required } = rules;
    if (field.oneof !== undefined) return ofOneof(field, check, required);
    if (check === undefined && !required) return undefined;
    const pass = check ?? (() => true);
    const hasPresence = field.fieldKind === "message" || isOptional(field);
    if (hasPresence) {
      return inside(field.localName, (it) => (it === undefined ? !required : pass(it)));
    }
    return inside(field.localName, (it) => !(required && isZero(it)) && pass(it));
  }

  function value(field: DescField, rules: FieldRules): Compiled {
    switch (field.fieldKind) {
      case "message":
        return single(field.message, rules);
      case "list": {
        const own = ownRules(rules, ["items"]);
        const of = rules.type.case === "repeated" ? rules.type.value.items : undefined;
        if (of?.ignore === Ignore.ALWAYS) return own;
        const item = of && itemRules(of);
        const each =
          field.listKind === "message"
            ? single(field.message, item)
            : item && ownRules(item, [], field);
        return all([own, each && ((list) => (list as readonly unknown[]).every(each))]);
      }
      case "map": {
        const own = ownRules(rules, ["keys", "values"]);
        const of = rules.type.case === "map" ? rules.type.value : undefined;
        const key = of?.keys && ownRules(itemRules(of.keys), []);
        const values = of?.values && itemRules(of.values);
        const each =
          field.mapKind === "message"
            ? single(field.message, values)
            : values && ownRules(values, [], field);
        return all([own, key && everyKey(key), each && everyValue(each)]);
      }
      case "enum":
      case "scalar":
        return ownRules(rules, [], field);
    }
  }

  function single(desc: DescMessage, rules: FieldRules | undefined): Compiled {
    if (rules === undefined) return message(desc);
    const cels = rules.cel.map(({ expression }) => cel(expression, desc));
    return all([message(desc), typeRules(rules, []), ...cels]);
  }

  return message;
}

function all(checks: readonly Compiled[]): Compiled {
  const [first, ...rest] = checks.filter((check) => check !== undefined);
  if (first === undefined || rest.length === 0) return first;
  const each = [first, ...rest];
  return (value) => {
    for (const check of each) if (!check(value)) return false;
    return true;
  };
}

function inside(localName: string, check: Check): Check {
  return (value) => check((value as Record<string, unknown>)[localName]);
}

function ofOneof(field: DescField, check: Compiled, required: boolean): Compiled {
  if (required) throw new UnknownRule();
  if (check === undefined) return undefined;
  return inside(field.oneof?.localName ?? "", (value) => {
    const chosen = value as { readonly case?: string; readonly value?: unknown };
    return chosen.case !== field.localName || check(chosen.value);
  });
}

function everyKey(check: Check): Check {
  return (map) => Object.keys(map as object).every(check);
}

function everyValue(check: Check): Check {
  return (map) => Object.values(map as object).every(check);
}

/** `optional` of a scalar: absent means undefined. */
function isOptional(field: DescField): boolean {
  return field.presence === Presence.EXPLICIT;
}

function isZero(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === "" || value === 0 || value === 0n || value === false;
}

function cel(expression: string, desc: DescMessage): Check {
  const check = compileCel(expression, desc);
  if (check === undefined) throw new UnknownRule(expression);
  return check;
}

function itemRules(rules: FieldRules): FieldRules {
  if (rules.ignore !== Ignore.UNSPECIFIED || rules.required) throw new UnknownRule();
  return rules;
}

/** Rules of a scalar, a list or a map; there is no CEL on these. */
function ownRules(rules: FieldRules, apart: readonly string[], field?: DescField): Compiled {
  if (rules.cel.length > 0) throw new UnknownRule();
  return typeRules(rules, apart, field);
}

/** What stands in `string`, `int32` and so on, but for `apart`, which is looked at elsewhere. */
function typeRules(rules: FieldRules, apart: readonly string[], field?: DescField): Compiled {
  if (rules.celExpression.length > 0) throw new UnknownRule();
  const { type } = rules;
  const desc = FieldRulesSchema.fields.find(({ localName }) => localName === type.case);
  if (type.case === undefined || desc === undefined) return undefined;
  const own = reflect(FieldRulesSchema, rules).get(desc) as ReflectMessage;
  if (own.message.$unknown !== undefined) throw new UnknownRule();
  const set = own.fields.filter((rule) => own.isSet(rule) && !apart.includes(rule.localName));
  return all(
    set.map((rule) => {
      const check = checkOf(desc.localName, rule.localName, own.get(rule), field);
      if (check === undefined) throw new UnknownRule(`${desc.name}.${rule.name}`);
      return check;
    }),
  );
}
