/** The names of capabilities as the market compares them: trimmed, in lower case, each once, sorted. */
export function normalizeCapabilities(names: readonly string[]): readonly string[] {
  const normal = names.every(isNormal) ? names : names.map(normalizeCapability);
  if (normal.every((name, nth) => nth === 0 || (normal[nth - 1] ?? "") < name)) return normal;
  return normal.toSorted().filter((name, nth, sorted) => name !== sorted[nth - 1]);
}

/** One name, trimmed and in lower case. */
export function normalizeCapability(name: string): string {
  return name.trim().toLowerCase();
}

/** Nothing but what a normal name may hold: most come so. */
function isNormal(name: string): boolean {
  return /^[a-z0-9_.:/+-]+$/.test(name);
}
