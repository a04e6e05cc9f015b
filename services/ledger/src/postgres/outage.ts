import { isOutage } from "@bourse/postgres";
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
