import type { Tx } from "@bourse/postgres";
import { arrayLiteral } from "./rows.ts";

// The indexes of transactions by party begin with the chapter: whoever reads by party goes through chapters, newest or
// oldest first, and looks into each. Chapters do not overlap in time.

/** The chapters of transactions recorded between two times, each an expression of SQL that may be null. */
export function chaptersWithin(from: string, until: string): string {
  return `(
    select number from chapters
    where number between coalesce((select chapter_of(${from})), 0)
      and coalesce((select chapter_of(${until})), ${LAST})
  )`;
}

/** The greatest integer. */
const LAST = 2_147_483_647;

/** Whether one of these was filed in a chapter that is not the one of its time any more. */
export async function isMisfiled(tx: Tx, ids: readonly string[]): Promise<boolean> {
  if (ids.length === 0) return false;
  const { rows } = await tx.query({
    name: "find misfiled",
    text: `select from transactions
      where id = any($1::uuid[]) and chapter <> chapter_of(created_at) limit 1`,
    values: [arrayLiteral(ids)],
  });
  return rows.length > 0;
}
