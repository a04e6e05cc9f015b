import { access, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "@bourse/rpc/free-ports";
import { findDistribution, prepareBinaries } from "./embedded/binaries.ts";
import { findHome, type Home, keepPassword, openDirectory, ownerOf } from "./embedded/home.ts";
import { type Lock, takeLock } from "./embedded/lock.ts";
import { createCluster, launch, stopLeftover } from "./embedded/postmaster.ts";
import { REACHABLE_ROOTS } from "./embedded/root.ts";

/** A Postgres server that this process started and that ends with it. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Names the superuser, its password and the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, be it by `stop` or by itself. */
  readonly exited: Promise<void>;
  /** Breaks all connections, closes the files and waits for the end. */
  stop(): Promise<void>;
}

/** Where and how an embedded server runs. */
export interface EmbeddedOptions {
  /**
   * A folder of its own; made when absent. The files lie there or where its file `location` says.
   */
  readonly dataDirectory: string;
  /** On 127.0.0.1; a free one when absent. */
  readonly port?: number;
  /** False gives up what a crash would need, for speed: for tests. True when absent. */
  readonly durable?: boolean;
  /** 200 when absent. */
  readonly maxConnections?: number;
  /** Folders to try for what an account other than root must reach. */
  readonly roots?: readonly string[];
}

const VERSION = "18";

/**
 * Starts the Postgres that npm installed, on the files of `dataDirectory`, and creates these at
 * first.
 *
 * Runs as the caller, or under root as the owner of the files (`postgres` or `nobody`). A server
 * that a killed process left on the same files is stopped first.
 * @throws when another living process uses the data directory, when `port` is taken, or with the
 *   end of the server's log when it does not start
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { durable = true, roots = REACHABLE_ROOTS } = options;
  const lock = await lockDirectory(options.dataDirectory);
  try {
    const home = await findHome(options.dataDirectory, roots);
    const distribution = await findDistribution();
    const binaries = await prepareBinaries(distribution, home.account, roots);
    const password = await keepPassword(options.dataDirectory, home);
    if ((await ownerOf(home.cluster)) === undefined) {
      await createCluster(binaries, home, { password, durable });
    }
    await checkVersion(home);
    const { port, postmaster } = await launchOnPort(binaries, home, options);
    const exited = postmaster.exited.then(() => lock.release());
    const stop = async () => {
      await postmaster.stop();
      await exited;
    };
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    return { url, port, pid: postmaster.pid, exited, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Deletes a data directory with all that belongs to it, wherever it lies. */
export async function removeEmbedded(
  dataDirectory: string,
  roots: readonly string[] = REACHABLE_ROOTS,
): Promise<void> {
  if (!(await exists(dataDirectory))) return;
  await lockDirectory(dataDirectory);
  const home = await findHome(dataDirectory, roots);
  await stopLeftover(home.cluster);
  // The initdb of a process that was just killed may still be writing.
  await rm(home.path, { recursive: true, maxRetries: 10, retryDelay: 100 });
  await rm(dataDirectory, { recursive: true, force: true });
}

/** Of the data directory and not of the files, since where these lie is settled at the first start. */
async function lockDirectory(dataDirectory: string): Promise<Lock> {
  return takeLock(join(await openDirectory(dataDirectory), "owner"));
}

async function launchOnPort(binaries: string, home: Home, options: EmbeddedOptions) {
  for (let attempt = 1; ; attempt++) {
    // At each attempt, since one that a killed process has just started may show itself only now.
    await stopLeftover(home.cluster);
    const port = options.port ?? (await freePort());
    try {
      return { port, postmaster: await launch(binaries, home, settings(port, options)) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const taken = message.includes("could not create any TCP/IP sockets");
      if (taken && options.port !== undefined) {
        throw new Error(`port ${port} is taken: choose another for Postgres`, { cause: error });
      }
      // The children of a postmaster that was killed hold its memory until they notice.
      const dying = /shared memory block .* still in use|"postmaster.pid" already exists/.test(
        message,
      );
      if (attempt === 20 || !(taken || dying)) throw error;
      await delay(dying ? 250 : 0);
    }
  }
}

function settings(port: number, options: EmbeddedOptions): Record<string, string | number> {
  return {
    listen_addresses: "127.0.0.1",
    port,
    // A path below a deep folder is too long for a socket, and nobody needs one.
    unix_socket_directories: "",
    max_connections: options.maxConnections ?? 200,
    // An open transaction that has written something holds all feeds back.
    idle_in_transaction_session_timeout: "1min",
    shared_buffers: "128MB",
    TimeZone: "UTC",
    log_timezone: "UTC",
    // Keeps refused statements, and so their payloads, out of the log.
    log_min_messages: "log",
    ...(options.durable === false
      ? {
          fsync: "off",
          synchronous_commit: "off",
          full_page_writes: "off",
          wal_level: "minimal",
          max_wal_senders: 0,
        }
      : {}),
  };
}

async function checkVersion(home: Home): Promise<void> {
  const found = (await readFile(join(home.cluster, "PG_VERSION"), "utf8")).trim();
  if (found === VERSION) return;
  throw new Error(
    `the database in ${home.cluster} is of Postgres ${found}, this is Postgres ${VERSION}: ` +
      "dump it with the old version and restore it with the new one",
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
