import type { TestDatabase } from "@bourse/postgres/testing";

/**
 * Every row of every table of the ledger by its table, but for those of the tables left out. Without
 * the stamps of accounts, which say nothing of the books.
 */
export async function dumpBooks(
  { pool }: Pick<TestDatabase, "pool">,
  leftOut: readonly string[] = [],
): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = await pool.query<{ readonly name: string }>(
    `select tablename as name from pg_tables
     where schemaname = current_schema and tablename <> all($1) order by 1`,
    [leftOut],
  );
  const names = tables.rows.map(({ name }) => name);
  const { rows } = await pool.query<{ readonly name: string; readonly row: string }>(
    names
      .map(
        (name) => `select '${name}' as name, (to_jsonb(t) - 'stamp')::text as row from ${name} t`,
      )
      .join(" union all "),
  );
  const byName = Object.groupBy(rows, ({ name }) => name);
  return Object.fromEntries(
    names.map((name) => [name, (byName[name] ?? []).map(({ row }) => row).toSorted()]),
  );
}
