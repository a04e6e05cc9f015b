import { among, type Choice, countOf } from "./choice.ts";
import { first } from "./first.ts";
import type { Slot } from "./market/ordered-set.ts";
import { type View, ViewWanted } from "./market/view.ts";
import { UNPROVEN_PPM } from "./reliability.ts";

/** Whom exploration may choose from. */
export interface Exploring {
  /** All that pass the filter. */
  readonly whole: View;
  /** Of these the eligible ones. */
  readonly view: View;
  readonly count: number;
  readonly random: () => number;
}

/** So often an excluded one may be drawn: only where all without a record are excluded it comes to that. */
const TRIES_MAX = 256;

/**
 * Chooses one of the agents without a record, each as likely; the alternates are the most reliable ones. Undefined when
 * all or none of the agents have a record: then there is nothing to explore.
 */
export function explore({ whole, view, count, random }: Exploring): Choice | undefined {
  const unproven = whole.unproven();
  if (unproven.size === 0 || unproven.size === whole.size) return undefined;
  if ((view.filter.minReliabilityPpm ?? 0) > UNPROVEN_PPM) return undefined;
  const isLeftOut = view.isEstimate || view.size < whole.size;
  let chosen: Slot | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const slot = unproven.at(Math.floor(random() * unproven.size));
    if (isLeftOut && !view.has(slot)) continue;
    chosen = slot;
    break;
  }
  if (chosen === undefined && view.wanted !== undefined) throw new ViewWanted(view.wanted);
  if (chosen === undefined) return undefined;
  const few = view.isEstimate ? "one" : `one of ${unproven.size}`;
  return {
    chosen,
    alternates: others(view, chosen, count - 1),
    reason: `EXPLORATION: ${few} without a record, ${among(view)}`,
    ...countOf(view),
  };
}

function others(view: View, chosen: Slot, count: number): Slot[] {
  const best = first(view.walk("RELIABILITY"), count + 1);
  return best.filter((slot) => slot !== chosen).slice(0, count);
}
