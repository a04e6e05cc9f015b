/**
 * Messages in binary form as texts of one byte a character, as the roster keeps them: parts of one are put into another
 * without decoding them. https://protobuf.dev/programming-guides/encoding/
 */
export type Wire = string;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A field of text, bytes or a message. */
export function field(number: number, content: Wire): Wire {
  return varint((number << 3) | BYTES) + varint(content.length) + content;
}

/** A field of a whole number that is not negative. */
export function numberField(number: number, value: bigint | number): Wire {
  return varint((number << 3) | VARINT) + varint(Number(value));
}

/** A text as it stands in a message, in UTF-8. */
export function textOf(text: string): Wire {
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) > 127) return Buffer.from(text).toString("latin1");
  }
  return text;
}

/**
 * The content of a message within a message, by its field; undefined when it is not there. Of one that comes more than
 * once the parts are put together, which is how they merge.
 */
export function messageIn(message: Wire, number: number): Wire | undefined {
  let found: Wire | undefined;
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    at += lengthOf(message, at);
    switch (tag & 7) {
      case VARINT:
        at += lengthOf(message, at);
        break;
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      case BYTES: {
        const length = readVarint(message, at);
        at += lengthOf(message, at);
        if (tag >>> 3 === number) {
          const part = message.slice(at, at + length);
          found = found === undefined ? part : found + part;
        }
        at += length;
        break;
      }
      default:
        throw new Error(`no message: a field of wire type ${tag & 7}`);
    }
  }
  return found;
}

/** The bytes of a message. */
export function bytesOf(message: Wire): Uint8Array {
  return Buffer.from(message, "latin1");
}

function varint(value: number): Wire {
  let text = "";
  let rest = value;
  while (rest > 127) {
    text += String.fromCharCode((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return text + String.fromCharCode(rest);
}

/** Tags and lengths; they are below 2^32. */
function readVarint(message: Wire, from: number): number {
  let value = 0;
  let shift = 0;
  for (let at = from; at < message.length; at += 1) {
    const byte = message.charCodeAt(at);
    value |= (byte & 127) << shift;
    if (byte < 128) break;
    shift += 7;
  }
  return value >>> 0;
}

function lengthOf(message: Wire, from: number): number {
  let at = from;
  while (message.charCodeAt(at) > 127) at += 1;
  return at - from + 1;
}
