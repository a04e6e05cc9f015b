import { randomBytes } from "node:crypto";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type Pool } from "pg";
import { type EmbeddedPostgres, removeEmbedded, startEmbedded } from "./embedded.ts";
import { digestMigrations, migrate, readMigrations } from "./migrate.ts";
import { createPool, identifier } from "./pool.ts";

export { type SilentLine, silentLine } from "./silent-line.ts";

/** A migrated database that nobody else uses. */
export interface TestDatabase extends AsyncDisposable {
  readonly pool: Pool;
  /** For a second pool or another process, which choose their own search path. */
  readonly url: string;
}

/**
 * Makes a database of one's own, cloned in some 50 ms from a template that is migrated once per
 * content.
 *
 * The server is the one of DATABASE_URL, or an embedded one that lives as long as this process has
 * a test database open. So hold one database per test file, and dispose it at the end: that drops
 * it.
 */
export async function testDatabase(options: {
  readonly schema: string;
  readonly directory: URL;
  /** Most connections of its pool; 10 when absent. */
  readonly max?: number;
}): Promise<TestDatabase> {
  const schema = identifier(options.schema);
  const server = await acquireServer();
  const name = `bourse_test_${schema.slice(0, 30)}_${randomBytes(6).toString("hex")}`;
  try {
    await clone(server.url, name, schema, options.directory);
  } catch (error) {
    await server.release();
    throw error;
  }
  const url = withDatabase(server.url, name);
  const pool = createPool(url, { schema, max: options.max ?? 10 });
  let disposing: Promise<void> | undefined;
  const dispose = async () => {
    if (!pool.ended) await pool.end();
    await administer(server.url, (admin) => admin.query(`drop database ${name} with (force)`));
    await server.release();
  };
  return {
    pool,
    url,
    [Symbol.asyncDispose]: () => {
      disposing ??= dispose();
      return disposing;
    },
  };
}

async function clone(url: string, name: string, schema: string, directory: URL): Promise<void> {
  const digest = digestMigrations(await readMigrations(directory));
  const template = `bourse_template_${schema.slice(0, 30)}_${digest.slice(0, 12)}`;
  await administer(url, async (admin) => {
    // Held until the connection ends: one process builds a template while the others wait for it.
    await admin.query("select pg_advisory_lock(hashtextextended($1, 0))", [template]);
    if (!(await isTemplate(admin, template))) await build(admin, url, template, schema, directory);
    await admin.query(`create database ${name} template ${template}`);
  });
}

async function isTemplate(admin: Client, name: string): Promise<boolean> {
  const { rowCount } = await admin.query(
    "select from pg_database where datname = $1 and datistemplate",
    [name],
  );
  return rowCount === 1;
}

async function build(
  admin: Client,
  url: string,
  template: string,
  schema: string,
  directory: URL,
): Promise<void> {
  // It is there, and no template, when its builder was killed half-way.
  await admin.query(`drop database if exists ${template} with (force)`);
  await admin.query(`create database ${template} template template0 encoding 'UTF8'`);
  const pool = createPool(withDatabase(url, template), { schema, max: 1 });
  try {
    await migrate(pool, { schema, directory });
  } finally {
    await pool.end();
  }
  await admin.query(`alter database ${template} with is_template true allow_connections false`);
}

async function administer(url: string, work: (admin: Client) => Promise<unknown>): Promise<void> {
  const admin = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  admin.on("error", () => {});
  try {
    await admin.connect();
  } catch (error) {
    throw new Error(`no Postgres for the tests at ${hostOf(url)}: start it or unset DATABASE_URL`, {
      cause: error,
    });
  }
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

function hostOf(url: string): string {
  return new URL(url).host;
}

interface Server {
  readonly url: string;
  release(): Promise<void>;
}

interface Shared {
  readonly starting: Promise<{ server: EmbeddedPostgres; directory: string }>;
  users: number;
}

let shared: Shared | undefined;
let closing: Promise<void> = Promise.resolve();

async function acquireServer(): Promise<Server> {
  const url = process.env["DATABASE_URL"];
  if (url !== undefined && url !== "") return { url, release: async () => {} };
  await closing;
  shared ??= { starting: launch(), users: 0 };
  const mine = shared;
  mine.users++;
  try {
    const { server } = await mine.starting;
    return { url: server.url, release: () => leave(mine) };
  } catch (error) {
    if (shared === mine) shared = undefined;
    throw error;
  }
}

async function leave(mine: Shared): Promise<void> {
  mine.users--;
  if (mine.users > 0) return;
  shared = undefined;
  closing = mine.starting.then(async ({ server, directory }) => {
    await server.stop();
    await removeEmbedded(directory);
  });
  await closing;
}

async function launch() {
  const directory = await mkdtemp(join(tmpdir(), "bourse-test-"));
  // The system user that Postgres runs as under root has to get in; the password file stays closed.
  await chmod(directory, 0o755);
  return { server: await startEmbedded({ dataDirectory: directory, durable: false }), directory };
}
