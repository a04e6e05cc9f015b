import { Pool } from "pg";

/** Most connections of a pool when the caller names no number. */
const MAX_DEFAULT = 10;

/**
 * Opens a pool of connections to `url`; nothing is sent before the first query.
 *
 * - `schema` becomes the search path, so that SQL names its tables without it. It need not exist
 *   yet.
 * - Waiting for a free or new connection fails after 10 seconds.
 * - int8 and numeric arrive as strings: convert them where the row is read.
 * - A connection that breaks while idle is dropped in silence; the next query opens another.
 */
export function createPool(
  url: string,
  options: {
    readonly max?: number;
    readonly schema?: string;
    readonly applicationName?: string;
  } = {},
): Pool {
  const pool = new Pool({
    connectionString: url,
    max: options.max ?? MAX_DEFAULT,
    application_name: options.applicationName ?? options.schema ?? "bourse",
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    ...(options.schema === undefined
      ? {}
      : { options: `-c search_path=${identifier(options.schema)}` }),
  });
  pool.on("error", () => {});
  return pool;
}

/** Returns `name` when it can stand in SQL unquoted; throws a TypeError when it cannot. */
export function identifier(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
    throw new TypeError(`not a plain SQL identifier: ${JSON.stringify(name)}`);
  }
  return name;
}
