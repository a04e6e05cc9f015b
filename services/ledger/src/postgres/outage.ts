import { sqlState } from "@bourse/postgres";
import { refuse } from "../refusal.ts";

/**
 * Does `work`; when the database is away, it is refused with LEDGER_UNAVAILABLE in the place of the
 * driver's error.
 */
export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOutage(error)) throw error;
    throw Object.assign(
      refuse("LEDGER_UNAVAILABLE", "the ledger cannot reach its database", { retryAfterMs: 500 }),
      { cause: error },
    );
  }
}

/**
 * Whether an error says that the database could not be reached or went away, and nothing about the
 * statement.
 */
function isOutage(error: unknown): boolean {
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
