import { createPool } from "@bourse/postgres";
import type { ServiceContext } from "@bourse/service";
import { createStatementStore } from "./postgres/statements.ts";
import type { StatementStore } from "./statement.ts";

/** How many short reads, and how many summaries, are under way at once. */
const READERS_MAX = 4;
const SUMMARIES_MAX = 2;

/**
 * Opens the statements with connections of their own, so that no payment waits behind a long read.
 */
export function openStatements(
  { defer }: Pick<ServiceContext, "defer">,
  config: { readonly DATABASE_URL: string },
  schema: string,
): StatementStore {
  const open = (max: number) => {
    const options = { schema, max, applicationName: "ledger-statements" };
    const pool = createPool(config.DATABASE_URL, options);
    defer({ [Symbol.asyncDispose]: () => pool.end() });
    return pool;
  };
  return createStatementStore({ pool: open(READERS_MAX), summaryPool: open(SUMMARIES_MAX) });
}
