import type { Tx } from "@bourse/postgres";
import type { BooksReport, Divergence } from "../store.ts";
import { chainDivergence, verifyChain } from "./chain.ts";
import { CHECKS } from "./checks.ts";

/**
 * Runs every check and returns at most `most` divergences, the first of each check first. Run it on
 * one snapshot; it takes no lock that a writer would wait for.
 */
export async function verifyBooks(tx: Tx, most: number): Promise<BooksReport> {
  // So that books of a fair size are joined and summed in memory.
  await tx.query("set local work_mem = '64MB'");
  const { rows } = await tx.query<Record<"accounts" | "movements" | "transactions", string>>(
    `select (select count(*) from accounts) as accounts,
       (select count(*) from movements) as movements,
       (select count(*) from transactions) as transactions`,
  );
  const found: Divergence[][] = [];
  for (const [check, statement] of Object.entries(CHECKS)) {
    // Apart from its limit: a planner that hopes to meet it early compares each row with every other.
    const result = await tx.query<Omit<Divergence, "check">>(
      `with divergent as materialized (${statement})
       select * from divergent order by subject, expected limit $1`,
      [most],
    );
    found.push(result.rows.map((row) => ({ check, ...row })));
  }
  const [counts] = rows;
  return {
    accounts: BigInt(counts?.accounts ?? 0),
    movements: BigInt(counts?.movements ?? 0),
    transactions: BigInt(counts?.transactions ?? 0),
    divergences: interleave(found).slice(0, most),
  };
}

/** The checks of the books, and behind them whether the journal is as it was written. */
export async function verifyAll(tx: Tx, most: number): Promise<BooksReport> {
  const report = await verifyBooks(tx, most);
  const broken = chainDivergence(await verifyChain(tx));
  const divergences = broken === undefined ? report.divergences : [broken, ...report.divergences];
  return { ...report, divergences: divergences.slice(0, most) };
}

function interleave<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, nth) =>
    lists.flatMap((list) => list.slice(nth, nth + 1)),
  ).flat();
}
