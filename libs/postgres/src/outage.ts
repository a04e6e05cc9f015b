import { sqlState } from "./violation.ts";

/**
 * Whether an error says that the database could not be reached or went away, and nothing about the
 * statement.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  // ECONNREFUSED, EAI_AGAIN and the like, but not the ERR_... of a bug.
  if (typeof code === "string" && /^E(?!RR_)[A-Z_]+$/.test(code)) return true;
  // 08: connection, 53: out of connections, 57P: shutdown or crash, 25P03: idle for too long,
  // 25006: the server became a standby.
  if (/^(08...|53...|57P..|25006|25P03)$/.test(sqlState(error) ?? "")) return true;
  return LOST.some((start) => error.message.startsWith(start));
}

/** How the driver words a lost connection, for which it has no code. */
const LOST = [
  "Connection terminated",
  "timeout exceeded when trying to connect",
  "Client has encountered a connection error",
  "Client was closed",
] as const;

/** Whether an error says that a text holds U+0000, which Postgres does not store. */
export function isUnstorable(error: unknown): boolean {
  return /^(22021|22P05)$/.test(sqlState(error) ?? "");
}
