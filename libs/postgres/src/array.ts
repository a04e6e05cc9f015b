/**
 * A `text[]` as a parameter of a statement. JSON writes a list of texts as Postgres does, but for its brackets and its
 * names for control characters and halves of surrogate pairs; where it uses one, pg writes the list, which takes ten
 * times as long.
 */
export function textArray(texts: readonly string[]): string | readonly string[] {
  const json = JSON.stringify(texts);
  return NAMED.test(json) ? texts : `{${json.slice(1, -1)}}`;
}

/** A backslash before anything but a quote or a backslash. */
const NAMED = /(?<!\\)(?:\\\\)*\\[^"\\]/;

/** An array of numbers, or of texts that need no quotes, as a parameter; undefined is null. */
export function plainArray(values: readonly (number | bigint | string | undefined)[]): string {
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}

/** A `bytea[]` as a parameter. */
export function byteaArray(values: readonly Uint8Array[]): string {
  const hex = values.map(({ buffer, byteOffset, length }) =>
    Buffer.from(buffer, byteOffset, length).toString("hex"),
  );
  return `{${hex.map((digits) => `"\\\\x${digits}"`).join(",")}}`;
}
