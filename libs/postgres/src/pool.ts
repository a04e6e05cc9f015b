import { Pool } from "pg";
import { readers } from "./column-reader.ts";

/** Most connections of a pool when the caller names no number. */
const MAX_DEFAULT = 10;

/** Has the server look every two seconds whether somebody still waits for the statement that it works at. */
const CHECK_CLIENT = "-c client_connection_check_interval=2000";

/**
 * Opens a pool of connections to `url`; nothing is sent before the first query.
 *
 * - `schema` becomes the search path, so that SQL names its tables without it. It need not exist
 *   yet.
 * - Waiting for a free or new connection fails after 10 seconds.
 * - int8 and numeric arrive as strings: convert them where the row is read.
 * - Statements are not compiled (`jit`): with lists as parameters the planner guesses far too high, and
 *   compiles for a tenth of a second what runs in one hundredth of that.
 * - `options` in the URL are heeded beside that; other settings in the URL win over ours.
 * - A server that is gone without a word is noticed within half a minute while nothing is asked of it, and a
 *   transaction that is idle for a minute is ended: it may hold locks, and holds feeds back.
 * - With `answerMs`, a statement that has no answer after so many milliseconds costs its connection, and fails as one
 *   that is lost does (`isOutage`): what became of it is not known. What it waits for the server gives up within two
 *   seconds. Without it only an abort ends the wait, or the system, after a quarter of an hour.
 * - With `pipeline`, statements that are issued together, as by `Promise.all`, go to the server
 *   together and run in that order; otherwise each waits for the answer to the one before.
 * - A connection that breaks while idle is dropped in silence; the next query opens another.
 */
export function createPool(
  url: string,
  options: {
    readonly max?: number;
    readonly schema?: string;
    readonly applicationName?: string;
    readonly pipeline?: boolean;
    readonly answerMs?: number;
    /** Settings of the server for all of these connections: names and values are plain words. */
    readonly settings?: Readonly<Record<string, string>>;
  } = {},
): Pool {
  const { connectionString, settings: given } = split(url);
  const settings = ["-c jit=off", ...given];
  if (options.schema !== undefined) settings.push(`-c search_path=${identifier(options.schema)}`);
  if (options.answerMs !== undefined) settings.push(CHECK_CLIENT);
  for (const [name, value] of Object.entries(options.settings ?? {})) {
    settings.push(`-c ${identifier(name)}=${identifier(value)}`);
  }
  const pool = new Pool({
    connectionString,
    max: options.max ?? MAX_DEFAULT,
    application_name: options.applicationName ?? options.schema ?? "bourse",
    pipeline: options.pipeline ?? false,
    connectionTimeoutMillis: 10_000,
    ...(options.answerMs !== undefined && { query_timeout: options.answerMs }),
    idle_in_transaction_session_timeout: 60_000,
    // The system would ask for the first time after two hours.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: settings.join(" "),
    types: readers,
  });
  pool.on("error", () => {});
  return pool;
}

/** Takes the server's `options` out of a URL, since pg would let them replace ours. */
function split(url: string): { readonly connectionString: string; readonly settings: string[] } {
  if (!URL.canParse(url)) return { connectionString: url, settings: [] };
  const bare = new URL(url);
  const settings = bare.searchParams.getAll("options");
  if (settings.length === 0) return { connectionString: url, settings };
  bare.searchParams.delete("options");
  return { connectionString: bare.href, settings };
}

/** Returns `name` when it can stand in SQL unquoted; throws a TypeError when it cannot. */
export function identifier(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
    throw new TypeError(`not a plain SQL identifier: ${JSON.stringify(name)}`);
  }
  return name;
}
