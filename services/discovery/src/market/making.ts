import type { Fault, Filter } from "../filter.ts";
import type { Agents } from "./agents.ts";
import { Condition } from "./condition.ts";
import type { Slot } from "./ordered-set.ts";
import type { Faults } from "./sift.ts";

/** What is made of whom. */
export interface Making {
  readonly key: string;
  readonly filter: Filter;
  /** Whether it must be known who is kept out by what. */
  readonly isCounted: boolean;
  /** Whether it is made for one answer, as far as is known. */
  readonly isBrief: boolean;
  /** Of whom it is made, as of now. */
  readonly source: (condition: Condition) => Source;
}

/** Agents by id, among which are all that pass. */
export interface Source {
  readonly slots: Int32Array;
  /** Whether all that have the capabilities are among them: only then it is known who is kept out by what. */
  readonly isWhole: boolean;
}

/** What was found. */
export interface Found {
  /** Who passes, by id, but for `late`. */
  readonly eligible: Int32Array;
  /** Who passes of those that changed meanwhile, in no order. */
  readonly late: readonly Slot[];
  readonly faults: Faults | undefined;
}

/** What an agent was found to be: 0 not able, 1 eligible, or two more than the place of its fault. */
type Verdict = number;
const ELIGIBLE = 1;
const VERDICTS = 32;

/**
 * A sifting that is done in slices, between which the market changes: whoever changes is looked at again in the end, so
 * that what is found holds then, exactly.
 */
export class SlicedSift {
  readonly condition: Condition;
  readonly #agents: Agents;
  readonly #making: Making;
  readonly #touched = new Set<Slot>();
  readonly #faults: Fault[] = [];
  #source: Source;
  #verdicts: Uint8Array;
  #at = 0;

  /** Holds the names in the filter: who gets the condition releases them. */
  constructor(agents: Agents, making: Making) {
    this.#agents = agents;
    this.#making = making;
    this.condition = new Condition(agents, making.filter);
    this.#source = making.source(this.condition);
    this.#verdicts = new Uint8Array(agents.room);
  }

  /** Begins anew: so much changed that it costs less. */
  restart(): void {
    this.#source = this.#making.source(this.condition);
    this.#verdicts = new Uint8Array(this.#agents.room);
    this.#touched.clear();
    this.#at = 0;
  }

  /** Says that an agent changes. */
  touch(slot: Slot): void {
    this.#touched.add(slot);
  }

  /** Looks at so many more; answers whether all have been looked at. */
  step(count: number): boolean {
    const { slots } = this.#source;
    const end = Math.min(slots.length, this.#at + count);
    for (; this.#at < end; this.#at += 1) {
      const slot = slots[this.#at] as Slot;
      this.#verdicts[slot] = this.#verdictOn(slot);
    }
    return end === slots.length;
  }

  /** What holds now, once all have been looked at. */
  found(): Found {
    const { slots, isWhole } = this.#source;
    const verdicts = this.#verdicts;
    for (const slot of this.#touched) if (slot < verdicts.length) verdicts[slot] = 0;
    const counts = new Int32Array(VERDICTS);
    const count = (verdict: Verdict) => {
      counts[verdict] = (counts[verdict] as number) + 1;
      return verdict === ELIGIBLE;
    };
    const eligible = slots.filter((slot) => count(verdicts[slot] as Verdict));
    const late = [...this.#touched].filter(
      (slot) => this.#agents.has(slot) && count(this.#verdictOn(slot)),
    );
    const faults = new Map(this.#faults.map((fault, nth) => [fault, counts[nth + 2] as number]));
    return { eligible, late, faults: isWhole ? faults : undefined };
  }

  #verdictOn(slot: Slot): Verdict {
    if (!this.condition.ability.has(slot)) return 0;
    const fault = this.condition.faultOf(slot);
    if (fault === undefined) return ELIGIBLE;
    const place = this.#faults.indexOf(fault);
    return place === -1 ? this.#faults.push(fault) + 1 : place + 2;
  }
}
