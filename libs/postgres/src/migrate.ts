import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Pool } from "pg";
import { applyOutside, isOutside } from "./migrate-outside.ts";
import { withPatience } from "./patience.ts";
import { identifier } from "./pool.ts";
import { type Tx, withTransaction } from "./transaction.ts";
import { violated } from "./violation.ts";

/** The database has migrations that this program does not know, so a newer one has been here. */
export class SchemaTooNewError extends Error {
  override readonly name = "SchemaTooNewError";
  readonly schema: string;
  readonly unknown: readonly string[];

  constructor(schema: string, unknown: readonly string[]) {
    super(`schema ${schema} is newer than this program: it has ${unknown.join(", ")}`);
    this.schema = schema;
    this.unknown = unknown;
  }
}

/** One forward step of a schema. */
export interface Migration {
  /** File name without ending; those of this library begin with "shared/". */
  readonly id: string;
  readonly sql: string;
}

const SHARED = new URL("../sql/", import.meta.url);
const LOCK_TRIES_MAX = 40;

/**
 * Brings `schema` up to date: first the tables of this library, then the files of `directory`.
 *
 * Files are named NNNN_noun.sql and run in that order with `schema` as search path, each in a
 * transaction of its own. One whose first line is `-- outside a transaction` runs statement by
 * statement instead, as `create index concurrently` must; a statement behind the comment
 * `-- in batches` is run until it changes no row. When such a file is broken off, it is run again from its
 * beginning. Any number of callers may run at once. One that cannot get a lock gives up its own and
 * tries again, for some minutes.
 * @throws SchemaTooNewError when the database has a migration that neither place holds
 */
export async function migrate(
  pool: Pool,
  options: {
    readonly schema: string;
    readonly directory: URL;
    /** How long a migration waits for a lock, while all who come later wait behind it; 3,000. */
    readonly lockTimeoutMs?: number;
  },
): Promise<void> {
  const { lockTimeoutMs = 3_000 } = options;
  const schema = identifier(options.schema);
  const migrations = await readMigrations(options.directory);
  await createMigrationsTable(pool, schema);
  const { rows } = await pool.query<{ id: string }>(`select id from ${schema}.migrations`);
  const applied = new Set(rows.map((row) => row.id));
  const unknown = [...applied].filter((id) => !migrations.some((migration) => migration.id === id));
  if (unknown.length > 0) throw new SchemaTooNewError(schema, unknown.sort());
  for (const migration of migrations) {
    if (!applied.has(migration.id)) await apply(pool, schema, migration, lockTimeoutMs);
  }
}

/**
 * Reads what `migrate` would apply, in order.
 * @throws when a file is misnamed or two have the same number
 */
export async function readMigrations(directory: URL): Promise<readonly Migration[]> {
  const [shared, own] = await Promise.all([
    readFolder(SHARED, "shared/"),
    readFolder(directory, ""),
  ]);
  return [...shared, ...own];
}

/** A digest that changes whenever a migration is added or edited. */
export function digestMigrations(migrations: readonly Migration[]): string {
  const hash = createHash("sha256");
  for (const { id, sql } of migrations) hash.update(JSON.stringify([id, sql]));
  return hash.digest("hex");
}

async function readFolder(directory: URL, prefix: string): Promise<Migration[]> {
  const folder = directory.href.endsWith("/") ? directory : new URL(`${directory.href}/`);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  names.forEach((name, index) => {
    if (!/^\d{4}_[a-z0-9_-]+\.sql$/.test(name)) {
      throw new Error(`migration ${name} in ${folder.pathname} is not named NNNN_noun.sql`);
    }
    if (name.slice(0, 4) === names[index - 1]?.slice(0, 4)) {
      throw new Error(`migrations ${names[index - 1]} and ${name} have the same number`);
    }
  });
  return Promise.all(
    names.map(async (name) => ({
      id: prefix + name.slice(0, -".sql".length),
      sql: await readFile(new URL(name, folder), "utf8"),
    })),
  );
}

async function createMigrationsTable(pool: Pool, schema: string): Promise<void> {
  if (await exists(pool, schema)) return;
  await withTransaction(pool, async (tx) => {
    // "if not exists" alone still fails when two callers create the same thing at once.
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`migrate:${schema}`]);
    if (await exists(tx, schema)) return;
    const found = await tx.query("select from pg_namespace where nspname = $1", [schema]);
    if (found.rowCount === 0) await tx.query(`create schema ${schema}`);
    await tx.query(
      `create table ${schema}.migrations (
         id text not null,
         applied_at timestamptz not null default now(),
         constraint migrations_pkey primary key (id)
       )`,
    );
  });
}

async function exists(tx: Tx, schema: string): Promise<boolean> {
  // Not to_regclass: it may answer from a cache that does not yet know of another's commit.
  const { rowCount } = await tx.query(
    "select from pg_tables where schemaname = $1 and tablename = 'migrations'",
    [schema],
  );
  return rowCount === 1;
}

async function apply(
  pool: Pool,
  schema: string,
  migration: Migration,
  lockTimeoutMs: number,
): Promise<void> {
  const patience = { tries: LOCK_TRIES_MAX, pauseMs: lockTimeoutMs };
  try {
    if (isOutside(migration)) {
      const limits = { lockTimeoutMs, lockTriesMax: LOCK_TRIES_MAX };
      await applyOutside(pool, { ...migration, ...limits, schema });
    } else {
      await withPatience(() => applyInside(pool, schema, migration, lockTimeoutMs), patience);
    }
  } catch (error) {
    if (violated(error) === "migrations_pkey") return;
    throw new Error(`migration ${migration.id} of schema ${schema} failed: ${reason(error)}`, {
      cause: error,
    });
  }
}

function applyInside(
  pool: Pool,
  schema: string,
  { id, sql }: Migration,
  lockTimeoutMs: number,
): Promise<void> {
  return withTransaction(pool, async (tx) => {
    await tx.query("set local statement_timeout = 0");
    // First of all, so that a concurrent caller waits here and then finds the work done.
    await tx.query(`insert into ${schema}.migrations (id) values ($1)`, [id]);
    await tx.query(`set local lock_timeout = ${Math.trunc(lockTimeoutMs)}`);
    await tx.query(`set local search_path to ${schema}`);
    await tx.query(sql);
  });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
