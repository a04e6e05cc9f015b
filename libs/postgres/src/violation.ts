/** The name of the constraint that `error` violated, or undefined when it is no such error. */
export function violated(error: unknown): string | undefined {
  const constraint = property(error, "constraint");
  return sqlState(error)?.startsWith("23") && constraint !== "" ? constraint : undefined;
}

/** The five-character SQLSTATE of an error that Postgres answered with, or undefined. */
export function sqlState(error: unknown): string | undefined {
  const code = property(error, "code");
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function property(error: unknown, name: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === "string" ? value : undefined;
}
