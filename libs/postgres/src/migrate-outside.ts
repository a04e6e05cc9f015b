import { setTimeout as delay } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import { withPatience } from "./patience.ts";
import { type Statement, splitSql } from "./split-sql.ts";
import { sqlState } from "./violation.ts";

/** What a file says in its first line when its statements shall run outside of a transaction. */
const OUTSIDE = /^-- outside a transaction\r?\n/;

/** What a comment before a statement says that shall be run until it changes no row. */
const IN_BATCHES = "in batches";

const BUILD = /^create (?:unique )?index concurrently/i;
const SAFE_BUILD = /^create (?:unique )?index concurrently if not exists ([a-z_][a-z0-9_]*) on /i;

const LOCK_POLL_MS = 200;

/** What it takes to apply one migration. */
export interface OutsideMigration {
  /** Unquoted, since it is a plain identifier. */
  readonly schema: string;
  readonly id: string;
  readonly sql: string;
  readonly lockTimeoutMs: number;
  readonly lockTriesMax: number;
}

/** Whether a migration asks to run outside of a transaction. */
export function isOutside({ sql }: { readonly sql: string }): boolean {
  return OUTSIDE.test(sql);
}

/**
 * Applies a migration statement by statement, each in a transaction of its own, and then records it.
 * One caller does so at a time: the others wait, and find it done. When one dies half-way, the next
 * begins anew, so each statement must bear being run twice. What a broken build of an index left is
 * dropped before it is built again.
 */
export async function applyOutside(pool: Pool, migration: OutsideMigration): Promise<void> {
  const statements = splitSql(migration.sql);
  demandNames(statements);
  const client = await pool.connect();
  client.on("error", ignore);
  try {
    await client.query("set statement_timeout = 0");
    await client.query(`set search_path to ${migration.schema}`);
    await lock(client, `migrate:${migration.schema}:outside`);
    if (await isApplied(client, migration)) return;
    for (const statement of statements) await run(client, statement, migration);
    await client.query(`insert into migrations (id) values ($1)`, [migration.id]);
  } finally {
    client.off("error", ignore);
    // The connection goes, and with it the lock and the settings.
    client.release(true);
  }
}

function ignore(): void {}

/** By asking again: whoever waits within a statement would be waited for by the build of an index. */
async function lock(client: PoolClient, name: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ locked: boolean }>(
      "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked",
      [name],
    );
    if (rows[0]?.locked === true) return;
    await delay(LOCK_POLL_MS * (0.5 + Math.random() / 2));
  }
}

async function isApplied(client: PoolClient, { id }: OutsideMigration): Promise<boolean> {
  const { rowCount } = await client.query("select from migrations where id = $1", [id]);
  return rowCount === 1;
}

async function run(
  client: PoolClient,
  statement: Statement,
  { lockTimeoutMs, lockTriesMax }: OutsideMigration,
): Promise<void> {
  const index = SAFE_BUILD.exec(statement.code)?.[1];
  // Nobody waits behind what is done concurrently. It waits for all transactions that came before
  // it, and would give up a build half-way for one of them that takes its time.
  const concurrent = / concurrently /i.test(statement.code);
  await client.query(`set lock_timeout = ${concurrent ? 0 : Math.trunc(lockTimeoutMs)}`);
  const step = async () => {
    if (index !== undefined) await dropBroken(client, index);
    const { rowCount } = await client.query(statement.text);
    return rowCount ?? 0;
  };
  const inBatches = statement.comments.includes(IN_BATCHES);
  try {
    let changed: number;
    do changed = await withPatience(step, { tries: lockTriesMax, pauseMs: lockTimeoutMs });
    while (inBatches && changed > 0);
  } catch (error) {
    // It would be kept up with every write, and a unique one would even refuse some.
    if (index !== undefined && sqlState(error) !== undefined) {
      await dropBroken(client, index).catch(() => {});
    }
    throw error;
  }
}

async function dropBroken(client: PoolClient, index: string): Promise<void> {
  const { rowCount } = await client.query(
    `select
     from pg_index
     join pg_class on pg_class.oid = indexrelid
     where relname = lower($1) and relnamespace = current_schema::regnamespace and not indisvalid`,
    [index],
  );
  if (rowCount !== 0) await client.query(`drop index concurrently ${index}`);
}

function demandNames(statements: readonly Statement[]): void {
  for (const { code } of statements) {
    if (BUILD.test(code) && !SAFE_BUILD.test(code)) {
      throw new Error(
        `begin with "create index concurrently if not exists <name> on": ${code.slice(0, 80)}`,
      );
    }
  }
}
