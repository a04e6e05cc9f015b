import type { Wanted } from "../reliability.ts";
import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import { type Holders, holdersOf, mostAble } from "./candidates.ts";
import type { Slot } from "./ordered-set.ts";
import type { Lots } from "./view.ts";

/** Agents that stand for those who may have some capabilities. */
export interface HolderSample {
  /** Some may have changed or gone since they were drawn. */
  readonly slots: Int32Array;
  /** For how many they stand. */
  readonly of: number;
}

/** Agents that stand for all of a view; some may have changed or gone since they were drawn. */
export class Sample {
  readonly slots: readonly Slot[];
  readonly #agents: Agents;
  /** By currency what they asked then, the lowest price first. */
  readonly #prices = new Map<number, Float64Array>();

  constructor(agents: Agents, slots: readonly Slot[]) {
    this.#agents = agents;
    this.slots = slots;
  }

  /** How many asked at most so much in a currency; to look at each costs more than all else of a pick. */
  countUpTo(currency: number, price: number): number {
    const prices = this.#prices.get(currency) ?? this.#pricesIn(currency);
    let [low, high] = [0, prices.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((prices[middle] as number) <= price) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pricesIn(currency: number): Float64Array {
    const { price, currency: currencies } = this.#agents;
    const priced = this.slots.filter((slot) => currencies[slot] === currency);
    const prices = Float64Array.from(priced, (slot) => price[slot] as number).sort();
    this.#prices.set(currency, prices);
    return prices;
  }
}

/** So many agents stand for all that may have some capabilities, until so many agents have changed. */
const SAMPLE = 256;
const CHANGES_MAX = 1_000;
/** Samples that are kept. */
const KEPT_MAX = 256;

/** Samples of those who may have some capabilities. */
export class Samples {
  readonly #agents: Agents;
  readonly #holders: Holders;
  readonly #kept = new Map<string, { readonly slots: Int32Array; readonly drawnIn: number }>();

  constructor(agents: Agents, holders: Holders) {
    this.#agents = agents;
    this.#holders = holders;
  }

  /** A sample that is good enough after so many changes of the market; `ability` is what is wanted, held ready. */
  of({ match, capabilities }: Wanted, ability: Ability, changes: number): HolderSample {
    const of = mostAble(this.#agents, this.#holders, ability);
    const key = `${match} ${JSON.stringify(capabilities)}`;
    const known = this.#kept.get(key);
    if (known !== undefined && changes - known.drawnIn <= CHANGES_MAX) {
      return { slots: known.slots, of };
    }
    const slots = this.#draw(ability, of);
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, { slots, drawnIn: changes });
    return { slots, of };
  }

  /** Forgets all: very many agents have changed. */
  clear(): void {
    this.#kept.clear();
  }

  #draw(ability: Ability, of: number): Int32Array {
    const sets = holdersOf(this.#agents, this.#holders, ability);
    const slots: Slot[] = [];
    for (const [nth, set] of sets.entries()) {
      const before = ability.numbers.slice(0, nth);
      for (const slot of spread(set, Math.ceil((SAMPLE * set.size) / of))) {
        // Whoever stands in several lists counts in the first one only, so that each counts once.
        const held = before.length === 0 ? [] : this.#agents.capabilitiesOf(slot);
        slots.push(before.some((capability) => held.includes(capability)) ? NOBODY : slot);
      }
    }
    return Int32Array.from(slots);
  }
}

/** No agent has this slot. */
const NOBODY = -1;
/** The fractions of its multiples are spread as evenly as can be. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** So many agents, spread evenly over all of them and not at equal distances; all, when there are fewer. */
export function spread(lots: Lots, count: number): Slot[] {
  const { size } = lots;
  if (size <= count) return Array.from({ length: size }, (_, rank) => lots.at(rank));
  return Array.from({ length: count }, (_, nth) =>
    lots.at(Math.floor(((nth + ((nth * GOLDEN) % 1)) * size) / count)),
  );
}
