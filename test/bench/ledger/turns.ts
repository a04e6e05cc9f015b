import type { Row } from "./figures.ts";

/**
 * Measures loads by turns with the peer, which runs before the first and after each: what disk and cores do for one
 * measurement may be half of what they do for the next. Each row tells the mean of the peer's two runs around it.
 */
export async function byTurns(
  peer: () => Promise<Row>,
  loads: readonly (() => Promise<Row>)[],
): Promise<readonly Row[]> {
  if (loads.length === 0) return [];
  const rows: Row[] = [];
  let before = await peer();
  for (const load of loads) {
    const row = await load();
    const after = await peer();
    rows.push({ ...row, peerPerSecond: (before.perSecond + after.perSecond) / 2 });
    before = after;
  }
  return rows;
}
