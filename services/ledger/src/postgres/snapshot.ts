import { type Pool, type Tx, withTransaction } from "@bourse/postgres";
import type { QueryOptions } from "../store.ts";

/**
 * Reads within one snapshot, so that all statements of `work` see the same instant; it can write
 * nothing.
 */
export function snapshots(pool: Pool) {
  return <T>(query: QueryOptions, work: (tx: Tx) => Promise<T>): Promise<T> =>
    withTransaction(
      pool,
      async (tx) => {
        await tx.query("set transaction read only");
        return work(tx);
      },
      { ...query, isolation: "repeatable read" },
    );
}
