import type { Filter } from "../filter.ts";
import type { Lineup } from "../lineup.ts";
import type { Slot } from "../market/ordered-set.ts";
import type { Wire } from "../wire.ts";
import type { Seat } from "./seat.ts";

/** The streams of one filter. */
export interface Group {
  readonly filter: Filter;
  readonly lists: Map<string, List>;
  readonly stop: () => void;
  /** What changed in its view since somebody looked, as bits of `ASPECT`. */
  aspects: number;
  /** Where in the ring the last stream began, as a share of it. */
  place: number;
}

/** A list, and the streams that all are told the same. */
export interface List extends Lineup {
  readonly key: string;
  readonly group: Group;
  readonly seats: Set<Seat>;
  /** How many passed when the start was chosen. */
  readonly size: number;
  slots: readonly Slot[];
  message: Wire;
  /** What is told of one of its agents has changed. */
  isTouched: boolean;
  /** Its agents have other loads than when it was put in order; they are put in order at the next look. */
  isUneven: boolean;
  isToBeRanked: boolean;
}

/** A list that nobody follows yet, and that names nobody. */
export function newList(named: Lineup & Pick<List, "key" | "group" | "size">): List {
  return {
    ...named,
    seats: new Set(),
    slots: [],
    message: "",
    isTouched: false,
    isUneven: false,
    isToBeRanked: true,
  };
}
