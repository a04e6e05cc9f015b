import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { readProper } from "./proper.ts";
import { type Fault, Rejection } from "./rejection.ts";
import { screenOf } from "./screen.ts";

const findAll = createValidator({ regexMatch: createMatcher() });
const findFirst = createValidator({ failFast: true, regexMatch: createMatcher() });

/**
 * Matches patterns by the engine of the platform, which takes a tenth of the time of the one that
 * the library brings. That one is for patterns of strangers; ours stand in the contract.
 */
function createMatcher(): (pattern: string, text: string) => boolean {
  const compiled = new Map<string, RegExp>();
  return (pattern, text) => {
    const known = compiled.get(pattern) ?? new RegExp(pattern, "u");
    compiled.set(pattern, known);
    return known.test(text);
  };
}

/** Above this size a message is refused for its first fault: of two bytes each it could have millions. */
const ALL_FAULTS_BYTES_MAX = 64 * 1024;

/**
 * The rules of its contract that a message breaks, none when it is valid.
 * @param first only the first of them, for a message that may break millions
 */
export function faultsIn(
  schema: DescMessage,
  message: Message,
  options: { readonly first?: boolean } = {},
): readonly Fault[] {
  // Nearly every message is valid, which is seen sooner than what is wrong.
  if (screenOf(schema)(message)) return [];
  const result = (options.first ? findFirst : findAll).validate(schema, message);
  if (result.kind === "valid") return [];
  if (result.kind === "error") throw result.error;
  return result.violations.map((violation) => ({
    field: pathToString(violation.field),
    reason: snake(violation.ruleId),
    description: violation.message === "" ? violation.ruleId : violation.message,
  }));
}

function snake(ruleId: string): string {
  return ruleId.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}

/**
 * Reads a message.
 *
 * @throws Rejection INVALID_REQUEST when the bytes are no such message, or it breaks rules of the
 * contract: then all of them at once, of a message above 64 KiB the first one only
 */
export function decode(schema: DescMessage, bytes: Uint8Array): Message {
  let message: Message;
  try {
    // A plain view: a `bytes` field must not come out as a Buffer.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    message = readProper(schema, plain) ?? fromBinary(schema, plain);
  } catch {
    throw new Rejection("INVALID_REQUEST", `the request is not a ${schema.typeName}`);
  }
  const faults = faultsIn(schema, message, { first: bytes.length > ALL_FAULTS_BYTES_MAX });
  const [first] = faults;
  if (first === undefined) return message;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  const where = first.field === "" ? "" : `${first.field}: `;
  throw new Rejection("INVALID_REQUEST", `${where}${first.description}${more}`, { faults });
}

/** The refusal of a message above the limit. */
export function tooLarge(what: "request" | "response", bytes: number, maxBytes: number): Rejection {
  return new Rejection(
    "MESSAGE_TOO_LARGE",
    `the ${what} has ${bytes} bytes, of at most ${maxBytes}`,
    {
      metadata: { bytes: String(bytes), max_bytes: String(maxBytes) },
    },
  );
}
