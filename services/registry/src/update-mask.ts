import {
  type AgentProfile,
  AgentProfileSchema,
} from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { Rejection } from "@bourse/rpc/rejection";
import { create, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { Reason } from "./reasons.ts";

/** The fields along a path: messages, and at the end a field of any kind. */
export type FieldPath = readonly DescField[];

/**
 * Reads the paths of an update mask (proto names, such as `sla.success_rate`); maps and lists are named as a whole.
 * @throws Rejection UNKNOWN_FIELD with every path that names no field of a profile
 */
export function readMask(paths: readonly string[]): readonly FieldPath[] {
  const read = paths.map((path) => ({ path, fields: fieldsAlong(path) }));
  const faults = read.flatMap(({ path, fields }, index) =>
    fields === undefined
      ? [
          {
            field: `update_mask.paths[${index}]`,
            reason: "UNKNOWN_FIELD",
            description: `a profile has no field '${path}'`,
          },
        ]
      : [],
  );
  if (faults.length > 0) {
    const reason: Reason = "UNKNOWN_FIELD";
    const text = faults.map(({ description }) => description).join("; ");
    throw new Rejection(reason, text, { faults });
  }
  return read.flatMap(({ fields }) => (fields === undefined ? [] : [fields]));
}

/**
 * The current profile, which is the caller's to give away, with the named fields replaced by those of the update, or
 * cleared where it has none.
 */
export function merge(
  current: AgentProfile,
  update: AgentProfile | undefined,
  mask: readonly FieldPath[],
): AgentProfile {
  const target = reflect(AgentProfileSchema, current);
  // What both hold then is the same, so a later path changes nothing of the update.
  const source = reflect(AgentProfileSchema, update ?? create(AgentProfileSchema));
  for (const path of mask) replace(target, source, path);
  return current;
}

function replace(
  target: ReflectMessage,
  source: ReflectMessage | undefined,
  [field, ...rest]: FieldPath,
): void {
  if (field === undefined) return;
  if (rest.length === 0) {
    if (source?.isSet(field)) target.set(field, source.get(field));
    else target.clear(field);
    return;
  }
  const inner = source?.isSet(field) ? (source.get(field) as ReflectMessage) : undefined;
  // Nothing is made only to have a field of it cleared.
  if (!target.isSet(field) && !isSetIn(inner, rest)) return;
  const nested = target.get(field) as ReflectMessage;
  replace(nested, inner, rest);
  target.set(field, nested);
}

function isSetIn(source: ReflectMessage | undefined, [field, ...rest]: FieldPath): boolean {
  if (source === undefined || field === undefined || !source.isSet(field)) return false;
  return rest.length === 0 || isSetIn(source.get(field) as ReflectMessage, rest);
}

/** Kept by path: a profile has a few dozen, and what names no field is not kept. */
const known = new Map<string, FieldPath>();

function fieldsAlong(path: string): FieldPath | undefined {
  const fields = known.get(path) ?? fieldsOf(AgentProfileSchema, path);
  if (fields !== undefined) known.set(path, fields);
  return fields;
}

function fieldsOf(desc: DescMessage, path: string): FieldPath | undefined {
  const fields: DescField[] = [];
  let inside: DescMessage | undefined = desc;
  for (const name of path.split(".")) {
    const field: DescField | undefined = inside?.fields.find((each) => each.name === name);
    if (field === undefined) return undefined;
    fields.push(field);
    inside = field.fieldKind === "message" ? field.message : undefined;
  }
  return fields;
}
