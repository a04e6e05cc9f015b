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

/** How the driver says that a statement had no answer in time. */
const SILENCE = "Query read timeout";

/** How the driver words a lost connection, for which it has no code. */
const LOST = [
  "Connection terminated",
  "timeout exceeded when trying to connect",
  "Client has encountered a connection error",
  "Client was closed",
  SILENCE,
] as const;

/** Whether an error says that a statement got no answer in time: its connection is of no use any more. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === SILENCE;
}

/** Whether an error says that a text holds U+0000, which Postgres does not store. */
export function isUnstorable(error: unknown): boolean {
  return /^(22021|22P05)$/.test(sqlState(error) ?? "");
}
