/** The names of capabilities as the market compares them: trimmed, in lower case, each once, sorted. */
export function normalizeCapabilities(names: readonly string[]): readonly string[] {
  if (names.every((name, nth) => isNormal(name) && (nth === 0 || (names[nth - 1] ?? "") < name))) {
    return names;
  }
  return [...new Set(Array.from(names, normalizeCapability))].sort();
}

/** One name, trimmed and in lower case. */
export function normalizeCapability(name: string): string {
  return name.trim().toLowerCase();
}

/** Nothing but what a normal name may hold: most come so. */
function isNormal(name: string): boolean {
  return /^[a-z0-9_.:/+-]+$/.test(name);
}
