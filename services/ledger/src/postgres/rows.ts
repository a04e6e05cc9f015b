import type { Tx } from "@bourse/postgres";

/** A column of a table and how a domain value fills it; `type` is what SQL casts the values to. */
export type Columns<R> = Readonly<
  Record<string, { readonly type: string; readonly of: (row: R) => unknown }>
>;

/** Adds rows in the order given, all in one statement. */
export async function insertRows<R>(
  tx: Tx,
  table: string,
  columns: Columns<R>,
  rows: readonly R[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(columns).join(", ");
  await tx.query(
    `insert into ${table} (${names})
     select ${names} from ${source(columns)} with ordinality as new (${names}, row_position)
     order by row_position`,
    values(columns, rows),
  );
}

/**
 * Changes the rows that have the given ids, all in one statement; `columns` has the column `id`.
 */
export async function updateRows<R>(
  tx: Tx,
  table: string,
  columns: Columns<R>,
  rows: readonly R[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(columns);
  const assignments = names.filter((name) => name !== "id").map((name) => `${name} = new.${name}`);
  const { rowCount } = await tx.query(
    `update ${table} as old
     set ${assignments.join(", ")}
     from ${source(columns)} as new (${names.join(", ")})
     where old.id = new.id`,
    values(columns, rows),
  );
  if (rowCount !== rows.length) throw new Error(`a row of ${table} is gone`);
}

function source<R>(columns: Columns<R>): string {
  const arrays = Object.values(columns).map(({ type }, index) => `$${index + 1}::${type}[]`);
  return `unnest(${arrays.join(", ")})`;
}

function values<R>(columns: Columns<R>, rows: readonly R[]): unknown[] {
  return Object.values(columns).map(({ of }) => rows.map((row) => of(row) ?? null));
}
