import { createHash } from "node:crypto";

/**
 * A UUID (version 8) that follows from its arguments: the same ones give the same id in every process and at every
 * retry, others another one. Parts are kept apart: `"a", "bc"` is not
 * `"ab", "c"`. A number counts as its digits.
 */
export function deriveUuid(
  namespace: string,
  ...parts: readonly (string | number | bigint)[]
): string {
  const name = JSON.stringify([namespace, ...parts.map(String)]);
  const bytes = createHash("sha256").update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
