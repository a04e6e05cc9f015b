import { widened } from "@bourse/roster/widened";
import { OrderedSet, type Ordering, type Slot } from "./ordered-set.ts";

/** How far apart neighbours are put when nothing hinders. */
const GAP = 2 ** 20;
/** Beyond this doubles have no room between whole numbers. */
const LABEL_MAX = 2 ** 52;
/** The larger the part that is spread anew, the looser it must become: else the next ones come too soon. */
const LOOSENESS = 1.5;

/**
 * All agents in the order of their ids, each with a label: a number that stands in the same order. So whoever keeps
 * agents in the order of ids compares numbers, not texts.
 *
 * A newcomer gets the number in the middle between its neighbours. Where there is none left, the agents around it are
 * spread anew, as few as will do; no two of them change places by that, so what is sorted by labels stays sorted.
 * (List labelling, as in Bender et al., "Two simplified algorithms for maintaining order in a list", 2002.)
 */
export class IdOrder {
  readonly ids: (string | undefined)[] = [];
  labels = new Float64Array(0);
  #all = new OrderedSet(this.ordering());

  /** All agents that have their place, by id. */
  get all(): OrderedSet {
    return this.#all;
  }

  /** For sets of these agents, by id. */
  ordering(): Ordering {
    let aimed = 0;
    return {
      aim: (slot) => {
        aimed = this.#label(slot);
      },
      isBefore: (other) => this.#label(other) < aimed,
    };
  }

  grow(slots: number): void {
    this.labels = widened(this.labels, slots);
  }

  idOf(slot: Slot): string {
    return this.ids[slot] ?? "";
  }

  /** Gives a newcomer its place, whose id is in `ids`. */
  insert(slot: Slot): void {
    const { size } = this.all;
    const id = this.idOf(slot);
    // A snapshot may come in the order of ids.
    const isLast = size > 0 && this.idOf(this.all.at(size - 1)) < id;
    const rank = isLast ? size : this.all.lowerBound((other) => this.idOf(other) < id);
    this.labels[slot] = this.#labelAt(rank);
    this.all.insert(slot);
  }

  /** Gives very many newcomers their places: all agents get new labels, at a tenth of what it costs one by one. */
  insertAll(newcomers: readonly Slot[]): void {
    const { ids } = this;
    const known = this.all.toArray();
    const sorted = Int32Array.from(newcomers);
    const isBefore = (a: Slot, b: Slot): boolean => (ids[a] as string) < (ids[b] as string);
    const isSorted = sorted.every((slot, at) => at === 0 || isBefore(sorted[at - 1] as Slot, slot));
    if (!isSorted) sorted.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const merged = new Int32Array(known.length + sorted.length);
    let [left, right] = [0, 0];
    for (let at = 0; at < merged.length; at += 1) {
      const [a, b] = [known[left], sorted[right]];
      const isKnown = b === undefined || (a !== undefined && isBefore(a, b));
      const slot = (isKnown ? a : b) as Slot;
      if (isKnown) left += 1;
      else right += 1;
      merged[at] = slot;
      this.labels[slot] = (at - merged.length / 2) * GAP;
    }
    this.#all = OrderedSet.of(merged, this.ordering());
  }

  remove(slot: Slot): void {
    this.all.remove(slot);
    this.ids[slot] = undefined;
  }

  #labelAt(rank: number): number {
    for (;;) {
      const { size } = this.all;
      const before = rank > 0 ? this.#label(this.all.at(rank - 1)) : undefined;
      const after = rank < size ? this.#label(this.all.at(rank)) : undefined;
      const label = between(before, after);
      if (label !== undefined) return label;
      this.#spread(rank);
    }
  }

  /** Spreads the smallest part around a rank that becomes loose enough by it; all when no part does. */
  #spread(rank: number): void {
    const { size } = this.all;
    for (let width = 16, gap = LOOSENESS ** 4; width < size; width *= 2, gap *= LOOSENESS) {
      const from = Math.max(1, Math.min(rank - width / 2, size - 1 - width));
      const to = Math.min(size - 1, from + width);
      const first = this.#label(this.all.at(from - 1));
      const step = Math.floor((this.#label(this.all.at(to)) - first) / (to - from + 1));
      if (step < gap) continue;
      this.#relabel(from, to, first, step);
      return;
    }
    this.#relabel(0, size, (-GAP * size) / 2, GAP);
  }

  #relabel(from: number, to: number, before: number, step: number): void {
    const slots = this.all.walk(from);
    for (let rank = from; rank < to; rank += 1) {
      this.labels[slots.next().value as Slot] = before + (rank - from + 1) * step;
    }
  }

  #label(slot: Slot): number {
    return this.labels[slot] as number;
  }
}

/** A whole number between two; undefined when there is none. */
function between(before: number | undefined, after: number | undefined): number | undefined {
  if (before === undefined && after === undefined) return 0;
  if (before === undefined) return within((after as number) - GAP);
  if (after === undefined) return within(before + GAP);
  return after - before < 2 ? undefined : Math.floor((before + after) / 2);
}

function within(label: number): number | undefined {
  return Math.abs(label) > LABEL_MAX ? undefined : label;
}
