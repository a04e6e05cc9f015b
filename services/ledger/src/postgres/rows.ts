import { hash } from "node:crypto";
import type { Tx } from "@bourse/postgres";

/** A column of a table and how a domain value fills it; `type` is what SQL casts the values to. */
export type Columns<R> = Readonly<
  Record<string, { readonly type: string; readonly of: (row: R) => unknown }>
>;

/**
 * Adds rows in the order given, all in one statement. `conflict` tells what becomes of a row that
 * is there already: `(key) do update set ...`.
 */
export async function insertRows<R>(
  tx: Tx,
  table: string,
  columns: Columns<R>,
  rows: readonly R[],
  conflict?: string,
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(columns).join(", ");
  const onConflict = conflict === undefined ? "" : ` on conflict ${conflict}`;
  const text = `insert into ${table} (${names}) select * from ${source(columns)}${onConflict}`;
  await tx.query({ name: nameOf(text), text, values: arrays(columns, rows) });
}

/**
 * Changes the rows that have the given ids, all in one statement; `columns` has the column `id`. They are
 * found by a range for the reason that payment-batch.ts gives.
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
  const text = `update ${table} as old
    set ${assignments.join(", ")}
    from ${source(columns)} as new (${names.join(", ")})
    where old.id between new.id and new.id`;
  const { rowCount } = await tx.query({ name: nameOf(text), text, values: arrays(columns, rows) });
  if (rowCount !== rows.length) throw new Error(`a row of ${table} is gone`);
}

/** A name for a prepared statement, which Postgres cuts off after 63 characters. */
function nameOf(text: string): string {
  const known = NAMES.get(text);
  if (known !== undefined) return known;
  const name = hash("sha1", text);
  NAMES.set(text, name);
  return name;
}

const NAMES = new Map<string, string>();

/**
 * An array as Postgres reads it. Written here because the driver looks at each value of each batch
 * anew, which took a third of the time of a payment.
 */
export function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(element).join(",")}}`;
}

function element(value: unknown): string {
  switch (typeof value) {
    case "string":
      return PLAIN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
    case "undefined":
      return "null";
    case "object":
      if (value === null) return "null";
      // In UTC: the driver would write the zone of the process, whose offset of long ago has seconds.
      if (value instanceof Date) return `"${value.toISOString()}"`;
      if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString("hex")}"`;
      throw new TypeError("an array of the ledger bears an object");
    default:
      return String(value);
  }
}

/** What needs no quotes in an array: no comma, brace, white space, and never the word null. */
const PLAIN = /^[0-9a-f][0-9a-zA-Z_:.-]*$/;

function source<R>(columns: Columns<R>): string {
  const types = Object.values(columns).map(({ type }, index) => `$${index + 1}::${type}[]`);
  return `unnest(${types.join(", ")})`;
}

/** What each column of these rows holds, as arrays that Postgres reads. */
export function arrays<R>(columns: Columns<R>, rows: readonly R[]): string[] {
  return Object.values(columns).map(({ of }) => arrayLiteral(rows.map(of)));
}
