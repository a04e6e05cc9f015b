import type { Filter } from "../filter.ts";
import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import { residueOf } from "./bases.ts";
import { Condition } from "./condition.ts";
import { Currencies } from "./currencies.ts";
import type { KeptView } from "./kept-view.ts";
import type { Slot } from "./ordered-set.ts";
import { isOfOneCurrency } from "./orders.ts";
import { type Lots, type View, type ViewOrder, ViewWanted } from "./view.ts";

/** So many agents are looked at in vain, or as many as stand in order anyway; and more for each one that is found. */
const LOOKS_MIN = 1_000;
const LOOKS_SHARE = 1 / 32;
const LOOKS_FOUND = 64;

/** What a residual view is called. */
export interface ResidualNames {
  readonly key: string;
  readonly filter: Filter;
  /** After which change of the market it was made. */
  readonly madeIn: number;
  /** Which narrower view is wanted when its agents are too rare: when so many were looked at in vain. */
  readonly wanted: Filter;
  readonly looksMax: number;
}

/** What was found in a sample of the base. */
interface Sampled {
  readonly looked: number;
  readonly passing: number;
}

/**
 * The agents of kept views, its bases, that pass what else a filter asks; this is looked at while walking. So a filter
 * that is asked once costs what its answer costs. How many pass is estimated. For the moment only.
 */
export class ResidualView implements View {
  readonly key: string;
  readonly filter: Filter;
  readonly madeIn: number;
  readonly isEstimate = true;
  readonly ranks = undefined;
  /** The narrowest of its bases. */
  readonly base: KeptView;
  readonly residue: Condition;
  /** The narrowest first. */
  readonly #bases: readonly KeptView[];
  readonly #agents: Agents;
  readonly #names: ResidualNames;
  readonly #excluded: ReadonlySet<Slot>;
  #sampled: Sampled | undefined;
  #currency: number | undefined;

  /** There is one base at least; the narrowest come first. */
  constructor(
    names: ResidualNames,
    agents: Agents,
    bases: readonly KeptView[],
    excluded: ReadonlySet<Slot> = new Set(),
  ) {
    this.key = names.key;
    this.filter = names.filter;
    this.madeIn = names.madeIn;
    this.base = bases[0] as KeptView;
    this.#bases = bases;
    // What the widest does not ask is asked of all.
    this.residue = new Condition(
      agents,
      residueOf(names.filter, (bases.at(-1) as KeptView).filter),
    );
    this.residue.release();
    this.#agents = agents;
    this.#names = names;
    this.#excluded = excluded;
  }

  get wanted(): Filter {
    return this.#names.wanted;
  }

  get ability(): Ability {
    return this.base.ability;
  }

  get mostPpm(): number {
    return this.base.mostPpm;
  }

  get size(): number {
    const { looked, passing } = this.sampled;
    // As sure as half an agent more would make it: who was not found in a sample may be there.
    const share = (passing + 0.5) / (looked + 1);
    return Math.max(1, Math.round(share * this.base.size) - this.#excluded.size);
  }

  get currency(): string | undefined {
    const number = this.#currencyNumber();
    return number === 0 ? undefined : this.#agents.currencies.textOf(number);
  }

  /** How many of some agents of the base pass. */
  get sampled(): Sampled {
    this.#sampled ??= { looked: this.base.sample().slots.length, passing: this.#passing() };
    return this.#sampled;
  }

  #passing(): number {
    const sample = this.base.sample();
    const { currency, onlyPrice } = this.residue;
    // By far the most common: a ceiling of the price that is another each time.
    if (onlyPrice !== undefined) return sample.countUpTo(currency, onlyPrice);
    return sample.slots.filter((slot) => this.lets(slot)).length;
  }

  /** Whether an agent of the base passes. */
  lets(slot: Slot): boolean {
    return this.residue.faultOf(slot) === undefined && !this.#excluded.has(slot);
  }

  has(slot: Slot): boolean {
    return this.base.has(slot) && this.lets(slot);
  }

  any(random: () => number, drawn: readonly Slot[]): Slot {
    const { base } = this;
    const most = this.#looksIn(base);
    for (let looks = 0; looks < most; looks += 1) {
      const slot = base.at(Math.floor(random() * base.size));
      if (this.lets(slot) && !drawn.includes(slot)) return slot;
    }
    throw new ViewWanted(this.wanted);
  }

  turnsAfter(agentId: string, count: number): Slot[] {
    const { base } = this;
    const from = base.rankAfter(agentId);
    const found: Slot[] = [];
    let left = this.#looksIn(base);
    const look = (slot: Slot): boolean => {
      if (this.lets(slot)) found.push(slot);
      else left -= 1;
      if (left < 0) throw new ViewWanted(this.wanted);
      return found.length >= count;
    };
    if (count === 0) return found;
    for (const slot of base.from(from)) if (look(slot)) return found;
    let rank = 0;
    for (const slot of base.from(0)) {
      if (rank === from || look(slot)) break;
      rank += 1;
    }
    return found;
  }

  *walk(order: ViewOrder, isBefore?: (slot: Slot) => boolean): Generator<Slot, void, undefined> {
    let found = 0;
    // Orders are kept of the widest, as far as these will do: those of many narrow ones would have to be kept, too.
    for (const base of this.#bases.toReversed()) {
      if (base !== this.base && base.vain.has(order)) continue;
      let [passed, isVain] = [0, false];
      for (const slot of this.#walkIn(base, order, isBefore)) {
        if (slot === undefined) isVain = true;
        else if (++passed > found) {
          found = passed;
          yield slot;
        }
      }
      if (!isVain) return;
      base.vain.add(order);
    }
    throw new ViewWanted(this.wanted);
  }

  unproven(): Lots {
    return this.base.unproven();
  }

  without(slots: readonly Slot[]): View {
    const excluded = slots.filter((slot) => this.has(slot));
    if (excluded.length === 0) return this;
    return new ResidualView(
      this.#names,
      this.#agents,
      this.#bases,
      new Set([...this.#excluded, ...excluded]),
    );
  }

  /** Ends with undefined where too many were looked at in vain. */
  *#walkIn(
    base: KeptView,
    order: ViewOrder,
    isBefore: ((slot: Slot) => boolean) | undefined,
  ): Generator<Slot | undefined, void, undefined> {
    const isEnd = this.residue.endOf(order);
    const ranking = base.in(order, isOfOneCurrency(order) ? this.#currencyNumber() : 0);
    const from = isBefore === undefined ? 0 : ranking.lowerBound(isBefore);
    let left = this.#looksIn(base);
    for (const slot of ranking.walk(from)) {
      if (isEnd?.(slot)) return;
      if (this.lets(slot)) {
        left += LOOKS_FOUND;
        yield slot;
      } else {
        left -= 1;
        if (left >= 0) continue;
        yield undefined;
        return;
      }
    }
  }

  #looksIn(base: KeptView): number {
    return Math.min(this.#names.looksMax, Math.max(LOOKS_MIN, base.size * LOOKS_SHARE));
  }

  #currencyNumber(): number {
    if (this.#currency === undefined) {
      const { base } = this;
      const isAsked = this.filter.maxCost === undefined;
      const asked = isAsked ? base.sample().slots.filter((slot) => this.lets(slot)) : [];
      this.#currency = new Currencies(this.#agents, asked).prevailing() || base.currencyNumber();
    }
    return this.#currency;
  }
}
