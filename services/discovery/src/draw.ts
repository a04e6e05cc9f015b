import type { Lots, View } from "./market/view.ts";

/** What is drawn from. */
export type Urn = Pick<View, "ranks" | "any">;

/** How one draws. */
export interface Draw {
  /** How many, each another one; all when there are fewer. */
  readonly count: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** The weight of an agent, from 0 to 1. Absent: all weigh the same. */
  readonly weigh?: ((slot: number) => number) | undefined;
}

/** Up to so many are all looked at. */
const SCAN_MAX = 64;
/** So often one is drawn and kept with the chance of its weight. */
const TRIES_MAX = 48;

/**
 * Draws agents one after the other, each with a chance in proportion to its weight among those that are left; when all
 * that are left weigh nothing, each as likely.
 *
 * Costs the same however many there are: an agent is drawn by its rank and kept with the chance of its weight, else
 * another is drawn. When none was kept in many tries, because nearly all weigh next to nothing, one of those that were
 * tried is drawn by weight.
 */
export function draw(urn: Urn, { count, random, weigh }: Draw): number[] {
  const { ranks } = urn;
  if (ranks !== undefined && weigh === undefined) return drawEvenly(ranks, count, random);
  if (ranks !== undefined && ranks.size <= SCAN_MAX) {
    const left = Array.from({ length: ranks.size }, (_, rank) => ranks.at(rank));
    return drawFrom(left, count, random, weigh);
  }
  const drawn: number[] = [];
  while (drawn.length < Math.min(count, ranks?.size ?? count)) {
    drawn.push(weigh === undefined ? urn.any(random, drawn) : tried(urn, drawn, random, weigh));
  }
  return drawn;
}

/** One that is not drawn yet. */
function tried(
  urn: Urn,
  drawn: readonly number[],
  random: () => number,
  weigh: (slot: number) => number,
): number {
  const refused: number[] = [];
  while (refused.length < TRIES_MAX) {
    const slot = urn.any(random, drawn);
    const weight = weigh(slot);
    if (weight >= 1 || random() < weight) return slot;
    refused.push(slot);
  }
  return drawFrom(refused, 1, random, weigh)[0] as number;
}

/** Draws from a few by looking at all of them. */
function drawFrom(
  slots: readonly number[],
  count: number,
  random: () => number,
  weigh: (slot: number) => number = () => 1,
): number[] {
  const left = slots.map((slot) => ({ slot, weight: weigh(slot) }));
  const drawn: number[] = [];
  while (drawn.length < count && left.length > 0) {
    const sum = left.reduce((all, { weight }) => all + weight, 0);
    let rest = random() * (sum > 0 ? sum : left.length);
    const found = left.findIndex(({ weight }) => {
      rest -= sum > 0 ? weight : 1;
      return rest < 0;
    });
    // Not found only by a rounding of the sum: then it is the last, at -1 from the end.
    const [taken] = left.splice(found, 1);
    drawn.push((taken as (typeof left)[number]).slot);
  }
  return drawn;
}

function drawEvenly(lots: Lots, count: number, random: () => number): number[] {
  if (count === 1 && lots.size > 0) return [lots.at(Math.floor(random() * lots.size))];
  // Shuffles the ranks as far as they are wanted; those that stand elsewhere than at first are remembered.
  const moved = new Map<number, number>();
  return Array.from({ length: Math.min(count, lots.size) }, (_, index) => {
    const other = index + Math.floor(random() * (lots.size - index));
    const rank = moved.get(other) ?? other;
    moved.set(other, moved.get(index) ?? index);
    return lots.at(rank);
  });
}
