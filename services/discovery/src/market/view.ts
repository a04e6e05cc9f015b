import type { Filter } from "../filter.ts";
import type { Ability } from "./ability.ts";
import type { Making } from "./maker.ts";
import type { Slot } from "./ordered-set.ts";

/**
 * An order of the agents of a view; all are total, by id in the end.
 *
 * COST, RELIABILITY, SCORE, AVAILABILITY and ID are those of a search; STANDING is by availability, then reliability.
 * LOAD, CHEAPEST, BEST and FASTEST are preferences for a pick, which move an agent back when it is picked; BY_LOAD,
 * BY_PRICE, BY_SURENESS and BY_LATENCY are the same for a list that lasts, whoever is picked. All of these compare
 * prices in one currency only (`View.currency`).
 */
export type ViewOrder =
  | "COST"
  | "RELIABILITY"
  | "SCORE"
  | "AVAILABILITY"
  | "ID"
  | "STANDING"
  | "LOAD"
  | "CHEAPEST"
  | "BEST"
  | "FASTEST"
  | "BY_LOAD"
  | "BY_PRICE"
  | "BY_SURENESS"
  | "BY_LATENCY";

/** Agents, each of which has a rank. */
export interface Lots {
  readonly size: number;
  /** The agent of a rank, from 0 to below the size. */
  at(rank: number): Slot;
}

/** Agents in an order. */
export interface Ranking extends Lots {
  /** How many agents are before the first that is not: `isBefore` holds for a first part of the order and not after. */
  lowerBound(isBefore: (slot: Slot) => boolean): number;
  /** The agents from a rank on. The market must not change meanwhile. */
  walk(fromRank?: number): Iterable<Slot>;
}

/** Says that an answer needs what is not there yet: have the market make it, and ask again. */
export abstract class Wanted extends Error {}

/** It is the view of a filter. */
export class ViewWanted extends Wanted {
  override readonly name = "ViewWanted";
  readonly filter: Filter;
  /** Whether it must also be known who is kept out by what. */
  readonly counted: boolean;

  constructor(filter: Filter, counted = false) {
    super("a view has to be made");
    this.filter = filter;
    this.counted = counted;
  }
}

/** It is an order of a view. */
export class OrderWanted extends Wanted {
  override readonly name = "OrderWanted";
  readonly making: Making;

  constructor(making: Making) {
    super("an order has to be made");
    this.making = making;
  }
}

/**
 * The agents that pass a filter now. It changes with the market, so it is used at once: after an `await`, have the
 * market renew it. Looking for agents may throw `Wanted`: if they are too rare, or an order is
 * not there.
 */
export interface View {
  /** Names the filter: the same for filters that mean the same. */
  readonly key: string;
  readonly filter: Filter;
  /** How surely its agents can do what the filter wants. */
  readonly ability: Ability;
  /** No agent of it is surer than this, in ppm; perhaps none is as sure. At least 1. */
  readonly mostPpm: number;
  /** How many pass, or about how many. */
  readonly size: number;
  readonly isEstimate: boolean;
  /** What is wanted when its agents turn out to be too rare; undefined where all are known. */
  readonly wanted: Filter | undefined;
  /** The agents by rank, in the order of ids; undefined where ranks are not known. */
  readonly ranks: Lots | undefined;
  has(slot: Slot): boolean;
  /** Draws one that is none of these, each as likely. There must be one. `random` is from 0 to below 1. */
  any(random: () => number, drawn: readonly Slot[]): Slot;
  /** At most so many agents that come after an id in the ring of ids, in order, each once. */
  turnsAfter(agentId: string, count: number): Slot[];
  /** The agents in an order, from the first on that is not before. The market must not change meanwhile. */
  walk(order: ViewOrder, isBefore?: (slot: Slot) => boolean): Iterable<Slot>;
  /** The agents without a record at what is wanted, perhaps among others that do not pass. */
  unproven(): Lots;
  /** The currency in which prices are compared: the filter's, or the one that most of the agents ask. */
  readonly currency: string | undefined;
  /** The same without some agents; those that are not in it anyway do not matter. */
  without(slots: readonly Slot[]): View;
}

/** A view in which each agent has its rank in the order of ids. */
export interface RankedView extends View, Lots {
  readonly ranks: Lots;
  /** The rank of the first agent whose id comes after this one, which need not be there; the size when none does. */
  rankAfter(agentId: string): number;
  /** The rank of an agent; undefined when it is not in. */
  rankOf(slot: Slot): number | undefined;
  without(slots: readonly Slot[]): RankedView;
}

/** A view of all that pass. */
export interface WholeView extends RankedView {
  /** The agents in an order. */
  in(order: ViewOrder): Ranking;
  /** Compares agents as an order does, but for their ids: 0 for those that are equally good. */
  standing(order: ViewOrder): (a: Slot, b: Slot) => number;
}
