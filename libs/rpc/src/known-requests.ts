import type { DescMessage, Message } from "@bufbuild/protobuf";
import { decode } from "./validation.ts";

/** Longer requests are hardly the same as others. */
const BYTES_MAX = 512;
/** So many are remembered at least, and twice as many at most. */
const REMEMBERED = 500;

/**
 * Reads the requests of a method that is asked the same again and again. What was read of a request and found valid
 * is remembered by its bytes: to find it again costs a tenth of reading and checking it. Those that were not asked for
 * longest are forgotten.
 */
export class KnownRequests {
  readonly #schema: DescMessage;
  #recent = new Map<string, Message>();
  /** Those that were recent before; who is asked for moves over. */
  #before = new Map<string, Message>();

  constructor(schema: DescMessage) {
    this.#schema = schema;
  }

  /**
   * The message of a request, the same one for the same bytes, so it must not be changed.
   * @throws Rejection as `decode` does
   */
  read(bytes: Buffer): Message {
    if (bytes.length > BYTES_MAX) return decode(this.#schema, bytes);
    const key = bytes.toString("latin1");
    const known = this.#recent.get(key);
    if (known !== undefined) return known;
    // In memory of its own: a field may be a part of it.
    const message = this.#before.get(key) ?? decode(this.#schema, Uint8Array.from(bytes));
    if (this.#recent.size >= REMEMBERED) {
      this.#before = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, message);
    return message;
  }
}
