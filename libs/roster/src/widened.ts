/** An array with the same numbers and room for at least `length`. */
export function widened<T extends Int32Array | Float64Array | Uint8Array>(
  array: T,
  length: number,
): T {
  if (array.length >= length) return array;
  const wider = new (array.constructor as new (length: number) => T)(length);
  wider.set(array);
  return wider;
}
