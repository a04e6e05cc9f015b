import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { Rejection } from "./rejection.ts";

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
const large = new WeakSet<object>();

/**
 * Throws a Rejection INVALID_REQUEST that names every violation of the rules in the contract; of a
 * message that the decoder found to be above 64 KiB the first one only.
 */
export function validate(schema: DescMessage, message: Message): void {
  const result = (large.has(message) ? findFirst : findAll).validate(schema, message);
  if (result.kind === "valid") return;
  if (result.kind === "error") throw result.error;
  const faults = result.violations.map((violation) => ({
    field: pathToString(violation.field),
    reason: snake(violation.ruleId),
    description: violation.message === "" ? violation.ruleId : violation.message,
  }));
  const [first] = faults;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  const where = first === undefined || first.field === "" ? "" : `${first.field}: `;
  throw new Rejection("INVALID_REQUEST", `${where}${first?.description}${more}`, { faults });
}

function snake(ruleId: string): string {
  return ruleId.replaceAll(/[^A-Za-z0-9]+/g, "_").toUpperCase();
}

/**
 * What a deserializer gives in place of a message that cannot be served; the call is then refused
 * with details.
 */
export class Unreadable {
  readonly rejection: Rejection;

  constructor(rejection: Rejection) {
    this.rejection = rejection;
  }
}

/**
 * A deserializer that never throws, because what grpc-js makes of an exception tells the caller
 * nothing.
 */
export function decoder(schema: DescMessage, maxBytes: number): (bytes: Buffer) => object {
  return (bytes) => {
    if (bytes.length > maxBytes) return new Unreadable(tooLarge("request", bytes.length, maxBytes));
    try {
      // A plain view: a `bytes` field must not come out as a Buffer.
      const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
      const message = fromBinary(schema, view);
      if (bytes.length > ALL_FAULTS_BYTES_MAX) large.add(message);
      return message;
    } catch {
      const text = `the request is not a ${schema.typeName}`;
      return new Unreadable(new Rejection("INVALID_REQUEST", text));
    }
  };
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
