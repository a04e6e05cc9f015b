import type { Agents } from "./agents.ts";
import type { Slot } from "./ordered-set.ts";

/** How many of some agents ask each currency. */
export class Currencies {
  readonly #agents: Agents;
  readonly #counts = new Map<number, number>();
  #prevailing: number | undefined;

  constructor(agents: Agents, slots: Iterable<Slot>) {
    this.#agents = agents;
    for (const slot of slots) this.add(slot, 1);
  }

  /** Counts an agent in, with 1, or out, with -1. */
  add(slot: Slot, change: 1 | -1): void {
    const currency = this.#agents.currency[slot] as number;
    if (currency === 0) return;
    const count = (this.#counts.get(currency) ?? 0) + change;
    if (count === 0) this.#counts.delete(currency);
    else this.#counts.set(currency, count);
    this.#prevailing = undefined;
  }

  /** The number of the currency that most of the agents ask, of equals the first by name; 0 when none asks any. */
  prevailing(): number {
    this.#prevailing ??= this.#most();
    return this.#prevailing;
  }

  #most(): number {
    let most = 0;
    let prevailing = 0;
    for (const [currency, count] of this.#counts) {
      if (count < most || (count === most && !this.#isBefore(currency, prevailing))) continue;
      prevailing = currency;
      most = count;
    }
    return prevailing;
  }

  #isBefore(a: number, b: number): boolean {
    const { currencies } = this.#agents;
    return currencies.textOf(a) < currencies.textOf(b);
  }
}
