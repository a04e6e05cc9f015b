/**
 * A domain value as JSON text. 64-bit numbers become strings and times ISO 8601; `parseDocument`
 * knows them by the ends of their names, so a document must not hold foreign objects (payloads
 * stand in it as text).
 */
export function formatDocument(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part));
}

/** Reads what `formatDocument` wrote. */
export function parseDocument<T>(text: string): T {
  return JSON.parse(text, (key, part: unknown) => {
    if (typeof part !== "string") return part;
    if (/(?:micros|Micros|Ms|Ppm)$/.test(key)) return BigInt(part);
    return /(?:Time|deadline)$/.test(key) ? new Date(part) : part;
  }) as T;
}
