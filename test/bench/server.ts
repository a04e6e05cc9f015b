import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPool, type Pool } from "@bourse/postgres";
import { removeEmbedded, startEmbedded } from "@bourse/postgres/embedded";
import { BenchFailure } from "./failure.ts";

/** The Postgres that a bench runs on. */
export interface BenchServer extends AsyncDisposable {
  /** What measurements depend on, as the server itself shows it. */
  readonly settings: Readonly<Record<string, string>>;
  /** A new, empty database, which is dropped when disposed. */
  database(name: string): Promise<BenchDatabase>;
}

/** A database of a bench. */
export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: Pool;
  /** Writes to the files what is only in the log, so that each measurement starts alike. */
  checkpoint(): Promise<void>;
}

const SHOWN = [
  "server_version",
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "wal_sync_method",
  "shared_buffers",
  "max_wal_size",
];
/** The type of a file system that lies in memory, where nothing becomes durable. */
const TMPFS = 0x01021994;

/**
 * Takes the server of `url`, or starts the embedded one in a folder of its own below the system's
 * for temporary files, which is gone afterwards.
 * @throws BenchFailure when the server would answer a commit before it is on a disk
 */
export async function openServer(url: string | undefined): Promise<BenchServer> {
  await using started = new AsyncDisposableStack();
  const serverUrl = url ?? (await startServer(started));
  const admin = createPool(serverUrl, { max: 1, applicationName: "bourse-bench" });
  started.defer(() => admin.end());
  const settings = await readSettings(admin);
  await requireDurable(admin, settings, url === undefined);
  const stack = started.move();
  return {
    settings,
    async database(name) {
      const own = `${name}_${process.pid}`;
      await admin.query(`create database ${own}`);
      const databaseUrl = new URL(serverUrl);
      databaseUrl.pathname = `/${own}`;
      const pool = createPool(databaseUrl.href, { max: 2, applicationName: "bourse-bench" });
      return {
        url: databaseUrl.href,
        pool,
        async checkpoint() {
          await admin.query("checkpoint");
        },
        async [Symbol.asyncDispose]() {
          await pool.end();
          await admin.query(`drop database if exists ${own} with (force)`);
        },
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function startServer(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const dataDirectory = join(folder, "postgres");
  stack.defer(() => removeEmbedded(dataDirectory));
  return stack.use(await startEmbedded({ dataDirectory })).url;
}

async function readSettings(pool: Pool): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ name: string; setting: string }>(
    "select name, current_setting(name) as setting from pg_settings where name = any ($1)",
    [SHOWN],
  );
  const found = new Map(rows.map(({ name, setting }) => [name, setting]));
  return Object.fromEntries(SHOWN.map((name) => [name, found.get(name) ?? ""]));
}

async function requireDurable(
  pool: Pool,
  settings: Readonly<Record<string, string>>,
  local: boolean,
): Promise<void> {
  for (const name of ["fsync", "synchronous_commit", "full_page_writes"]) {
    if (settings[name] === "on") continue;
    throw new BenchFailure(`${name} is ${settings[name]} on this server: turn it on to measure`);
  }
  if (!local) return;
  const { rows } = await pool.query<{ path: string }>(
    "select current_setting('data_directory') as path",
  );
  const path = rows[0]?.path ?? "/";
  if ((await statfs(path)).type === TMPFS) {
    throw new BenchFailure(`${path} lies in memory: set TMPDIR to a folder on a disk`);
  }
}
