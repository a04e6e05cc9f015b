/** Whether the bytes from `start` to `end` may stand in some part of a field. */
export type FieldCheck = (bytes: Uint8Array, start: number, end: number) => boolean;

const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;

const NOT_IN_NAMES = bytesBut(/[a-z0-9!#$%&'*+.^_`|~-]/);
const NOT_IN_VALUES = bytesBut(/[^\0\r\n]/);

/** Whether these bytes are a name of HTTP/2: a token (RFC 9110, 5.6.2) in lower case, and perhaps a colon in front. */
export function isFieldName(bytes: Uint8Array, start: number, end: number): boolean {
  const letters = bytes[start] === COLON ? start + 1 : start;
  return letters < end && hasNone(NOT_IN_NAMES, bytes, letters, end);
}

/** Whether these bytes are a value of HTTP/2 (RFC 9113, 8.2.1): of one line, with no blanks around it. */
export function isFieldValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (isBlank(bytes[start]) || isBlank(bytes[end - 1])) return false;
  return hasNone(NOT_IN_VALUES, bytes, start, end);
}

function hasNone(which: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  let found = 0;
  for (let at = start; at < end; at += 1) found |= which[bytes[at] as number] as number;
  return found === 0;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** All bytes except those letters. */
function bytesBut(letter: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    Number(!letter.test(String.fromCharCode(byte))),
  );
}
