import { canonicalJson, type Json, type JsonObject } from "@bourse/proof";
import { type Fault, Rejection } from "@bourse/rpc/rejection";
import { personalDataFaults } from "@bourse/service/personal-data";

/** What a response may weigh, less some room for its envelope; clients refuse more than 4 MiB. */
const PAGE_BYTES_MAX = 3 * 1024 * 1024;

/**
 * How much more a JSON text can weigh as a protobuf Struct: a short number takes eleven bytes
 * instead of two.
 */
const STRUCT_FACTOR = 6;

/**
 * How deep a JSON object may nest. Protobuf readers refuse messages that nest beyond 100, each
 * level of a Struct takes up to three, and an answer wraps what a request bore once more: without a
 * limit well below that, one could write what nobody can read.
 */
const LEVELS_MAX = 20;

/**
 * Finds fault with a JSON object that is too large or that Postgres or JSON cannot hold; undefined
 * when it is fine.
 */
export function jsonFault(
  field: string,
  value: JsonObject | undefined,
  bytesMax: number,
): Fault | undefined {
  if (value === undefined) return undefined;
  const text = canonicalText(value);
  if (text === undefined) {
    return { field, reason: "NOT_JSON", description: "must not hold NaN or infinite numbers" };
  }
  if (NUL_ESCAPE.test(text)) return nulFault(field);
  if (isDeeper(value, LEVELS_MAX)) {
    return { field, reason: "TOO_DEEP", description: `must nest at most ${LEVELS_MAX} deep` };
  }
  if (Buffer.byteLength(text) > bytesMax) {
    return { field, reason: "TOO_LARGE", description: `must be at most ${bytesMax} bytes as JSON` };
  }
  return undefined;
}

/** U+0000 as JSON writes it, which is not a backslash of the text's own before `u0000`. */
const NUL_ESCAPE = /(?<!\\)(?:\\\\)*\\u0000/;

function isDeeper(value: Json, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  if (levels === 0) return true;
  return Object.values(value).some((member: Json) => isDeeper(member, levels - 1));
}

/**
 * Finds fault with a text that holds U+0000, which Postgres cannot store; undefined when it is
 * fine.
 */
export function textFault(field: string, text: string): Fault | undefined {
  return text.includes("\0") ? nulFault(field) : undefined;
}

/** Owners shorter than this are part of too much else. */
const NAME_LENGTH_MIN = 4;

/**
 * Finds fault with an id of money that names its owner, or holds other personal data: it is an entry of the journal,
 * where it would stay when the owner is erased.
 */
export function namingFaults(field: string, id: string, owner: string): readonly Fault[] {
  const isNamed = owner.length >= NAME_LENGTH_MIN && id.includes(owner);
  const description = "must not hold the id of the owner";
  return [
    ...(isNamed ? [{ field, reason: "NAMES_OWNER", description }] : []),
    ...personalDataFaults(id, field),
  ];
}

/** Throws INVALID_REQUEST with all the faults there are. */
export function rejectFaults(faults: readonly (Fault | undefined)[]): void {
  const found = faults.filter((fault) => fault !== undefined);
  if (found.length === 0) return;
  const told = found.map(({ field, description }) => `${field} ${description}`).join("; ");
  throw new Rejection("INVALID_REQUEST", told, { faults: found });
}

/** The first of `rows`, at least one, that fit into a response together. */
export function fitting<T>(
  rows: readonly T[],
  jsonOf: (row: T) => JsonObject | undefined,
): readonly T[] {
  let bytes = 0;
  const overflow = rows.findIndex((row, nth) => {
    const json = jsonOf(row);
    bytes += 1_024 + (json === undefined ? 0 : canonicalJson(json).length * STRUCT_FACTOR);
    return nth > 0 && bytes > PAGE_BYTES_MAX;
  });
  return overflow === -1 ? rows : rows.slice(0, overflow);
}

function canonicalText(value: JsonObject): string | undefined {
  try {
    return canonicalJson(value);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function nulFault(field: string): Fault {
  return { field, reason: "NUL_CHARACTER", description: "must not hold the character U+0000" };
}
