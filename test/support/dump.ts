import type { Pool } from "@bourse/postgres";

const SCHEMAS = ["registry", "auction", "ledger"] as const;

/**
 * Which rows of which tables, of all services, hold one of these texts in any column, bytes included, named by the
 * table and the text.
 */
export async function whereStands(
  pool: Pool,
  texts: readonly string[],
): Promise<readonly string[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select schemaname || '.' || tablename as name
     from pg_tables
     where schemaname = any($1)
     order by 1`,
    [SCHEMAS],
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<Record<string, unknown>>(`select * from ${name}`);
    const written = rows.map(write).join("\n");
    for (const text of texts) if (written.includes(text)) found.push(`${name}: ${text}`);
  }
  return found;
}

function write(row: Record<string, unknown>): string {
  return Object.values(row)
    .map((value) => (Buffer.isBuffer(value) ? value.toString("latin1") : JSON.stringify(value)))
    .join(" ");
}
