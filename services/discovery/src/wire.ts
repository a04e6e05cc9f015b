/**
 * Messages in binary form as texts of one byte a character, as the roster keeps them: parts of one are put into another
 * without decoding them. https://protobuf.dev/programming-guides/encoding/
 */
export type Wire = string;

const VARINT = 0;
const BYTES = 2;

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
