/** The names of capabilities as the market compares them: trimmed, in lower case, each once, sorted. */
export function normalizeCapabilities(names: Iterable<string>): string[] {
  return [...new Set(Array.from(names, normalizeCapability))].sort();
}

/** One name, trimmed and in lower case. */
export function normalizeCapability(name: string): string {
  return name.trim().toLowerCase();
}
