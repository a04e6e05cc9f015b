import type { Row } from "./figures.ts";

/** How many times what the peer did beside it the slowest and the fastest round of a load did. */
export type Spread = readonly [lowest: number, highest: number];

/**
 * Measures loads by turns with the peer, which runs before the first and after each: what disk and cores do for one
 * measurement may be half of what they do for the next. Each round is set beside the mean of the peer's two runs around
 * it, and of a load's rounds the one whose ratio is in the middle is its row; of an even number, the lower one.
 */
export async function byTurns(
  peer: () => Promise<Row>,
  loads: readonly (() => Promise<Row>)[],
  rounds: number,
): Promise<readonly Row[]> {
  if (loads.length === 0) return [];
  const measured = loads.map((): Beside[] => []);
  let before = await peer();
  for (let round = 1; round <= rounds; round += 1) {
    for (const [nth, load] of loads.entries()) {
      const row = await load();
      const after = await peer();
      const peerPerSecond = (before.perSecond + after.perSecond) / 2;
      measured[nth]?.push({ ...row, peerPerSecond, ratio: row.perSecond / peerPerSecond });
      before = after;
    }
  }
  return measured.map(middleOf);
}

type Beside = Row & { readonly ratio: number };

function middleOf(rounds: readonly Beside[]): Row {
  const sorted = rounds.toSorted((a, b) => a.ratio - b.ratio);
  const { ratio: _ratio, ...row } = sorted[(sorted.length - 1) >> 1] as Beside;
  const ratios = sorted.map(({ ratio }) => ratio);
  return ratios.length === 1 ? row : { ...row, spread: [Math.min(...ratios), Math.max(...ratios)] };
}
