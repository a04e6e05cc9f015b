import type { Pool } from "@bourse/postgres";
import type { Account } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { expect, vi } from "vitest";
import type { TestMarket } from "./market.ts";

/** An owner's account in one currency; undefined before its first money. */
export async function accountOf(
  { operator }: TestMarket,
  owner: string,
  currency: string,
): Promise<Account | undefined> {
  const { accounts } = await operator.ledger.getBalances({ owner });
  return accounts.find(({ currencyCode }) => currencyCode === currency);
}

/** An owner's credits, in micros. */
export async function creditsOf(market: TestMarket, owner: string): Promise<bigint> {
  return (await accountOf(market, owner, "CRD"))?.postedMicros ?? 0n;
}

/** Waits until every service has told the others all it had to tell. */
export async function allTold({ pool }: TestMarket, timeoutMs = 15_000): Promise<void> {
  const options = { timeout: timeoutMs, interval: 20 };
  await vi.waitFor(async () => expect(await untold(pool)).toEqual([]), options);
}

/** What services still have to tell, parked messages included. */
export async function untold(pool: Pool): Promise<readonly string[]> {
  const queries = ["registry", "auction"].map((schema) =>
    pool.query(`select id, error from ${schema}.outbox order by position`),
  );
  const rows = (await Promise.all(queries)).flatMap((result) => result.rows);
  return rows.map(({ id, error }) => (error === null ? id : `${id}: ${error}`));
}

/** Proves the books and the record of the market. */
export async function proveBooks({ auditor }: TestMarket): Promise<void> {
  const books = await auditor.ledger.verify({});
  expect(books.divergences).toEqual([]);
  expect(books.ok).toBe(true);
  const chain = await auditor.lineage.verifyChain({});
  expect(chain).toMatchObject({ ok: true, brokenSequence: 0n, fault: "" });
}

const SCHEMAS = ["registry", "auction", "ledger"];

/** How a relay shares its work with others; it comes and goes by itself and tells nothing. */
const PASSING = ["outbox_lanes", "outbox_arrivals"];

/**
 * Every row that a service keeps, by `schema.table`, in an order that does not depend on time; without
 * the stamps of accounts, which say nothing of the books.
 */
export async function dumpState(pool: Pool): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = await pool.query(
    `select schemaname, tablename from pg_tables
     where schemaname = any($1) and tablename <> all($2)
     order by 1, 2`,
    [SCHEMAS, PASSING],
  );
  const names = tables.rows.map(({ schemaname, tablename }) => `${schemaname}.${tablename}`);
  const { rows } = await pool.query(
    names
      .map(
        (name) => `select '${name}' as name, (to_jsonb(t) - 'stamp')::text as row from ${name} t`,
      )
      .join(" union all "),
  );
  const dump = Object.fromEntries(names.map((name) => [name, [] as string[]]));
  for (const { name, row } of rows) dump[name]?.push(row);
  for (const each of Object.values(dump)) each.sort();
  return dump;
}
