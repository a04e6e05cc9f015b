import { widened } from "@bourse/roster/widened";
import type { Fault, Filter } from "../filter.ts";
import { type Agents, ASPECT } from "./agents.ts";
import { Condition } from "./condition.ts";
import type { Making } from "./maker.ts";
import { Members } from "./members.ts";
import type { Slot } from "./ordered-set.ts";
import type { Faults } from "./sift.ts";

/** What is found of whom. */
export interface Sifting {
  readonly key: string;
  readonly filter: Filter;
  /** Of whom it is found, as of now; undefined when it need not be found any more. */
  readonly source: (condition: Condition) => Source | undefined;
  /** Is told what was found. */
  readonly found: (found: Found) => void;
}

/** Agents by id, among which are all that pass. */
export interface Source {
  readonly slots: Int32Array;
  /** Whether all that have the capabilities are among them: only then it is known who is kept out by what. */
  readonly isWhole: boolean;
}

/** What was found. */
export interface Found {
  /** Whoever is told owns it from then on, and releases the names that it holds. */
  readonly condition: Condition;
  readonly members: Members;
  readonly faults: Faults | undefined;
}

/** What an agent was found to be: 0 not able, 1 eligible, or two more than the place of its fault. */
type Verdict = number;
const ELIGIBLE = 1;
/** It has changed, and is to be looked at in the end. */
const LATE = 255;

/**
 * A sifting that is done in slices, between which the market changes: whoever changes is taken out and looked at again
 * in the end, so that what is found holds then, exactly.
 */
export class SlicedSift implements Making {
  readonly key: string;
  readonly #agents: Agents;
  readonly #sifting: Sifting;
  #run: Run | undefined;

  constructor(agents: Agents, sifting: Sifting) {
    this.key = sifting.key;
    this.#agents = agents;
    this.#sifting = sifting;
  }

  step(count: number): boolean {
    if (this.#run === undefined) {
      const condition = new Condition(this.#agents, this.#sifting.filter);
      const source = this.#sifting.source(condition);
      if (source === undefined) {
        condition.release();
        return true;
      }
      this.#run = new Run(this.#agents, condition, source);
    }
    if (!this.#run.step(count)) return false;
    this.#sifting.found(this.#run.found());
    return true;
  }

  touch(slot: Slot, aspects: number): void {
    this.#run?.touch(slot, aspects);
  }

  restart(): void {
    this.#run?.condition.release();
    this.#run = undefined;
  }
}

/** A sifting from its beginning to its end. */
class Run {
  readonly condition: Condition;
  readonly #agents: Agents;
  readonly #source: Source;
  readonly #members: Members;
  readonly #aspects: number;
  readonly #late = new Set<Slot>();
  readonly #faults: Fault[] = [];
  readonly #counts: number[] = [];
  #verdicts: Uint8Array;
  #at = 0;

  constructor(agents: Agents, condition: Condition, source: Source) {
    this.#agents = agents;
    this.condition = condition;
    this.#source = source;
    this.#members = new Members(agents, condition);
    // Of all that pass it is known what they ask.
    this.#aspects = condition.aspects | ASPECT.PRICE;
    this.#verdicts = new Uint8Array(agents.room);
  }

  step(count: number): boolean {
    const { slots } = this.#source;
    const end = Math.min(slots.length, this.#at + count);
    for (; this.#at < end; this.#at += 1) {
      const slot = slots[this.#at] as Slot;
      if (this.#verdicts[slot] !== LATE && this.#look(slot)) this.#members.append(slot);
    }
    if (end < slots.length) return false;
    for (const slot of this.#late) {
      this.#late.delete(slot);
      this.#verdicts[slot] = 0;
      if (this.#agents.has(slot) && this.#look(slot)) this.#members.insert(slot);
    }
    return true;
  }

  touch(slot: Slot, aspects: number): void {
    if ((this.#aspects & aspects) === 0) return;
    if (slot >= this.#verdicts.length) this.#verdicts = widened(this.#verdicts, this.#agents.room);
    const verdict = this.#verdicts[slot] as Verdict;
    if (verdict === ELIGIBLE) this.#members.remove(slot);
    else if (verdict > ELIGIBLE && verdict < LATE) this.#count(verdict, -1);
    this.#verdicts[slot] = LATE;
    this.#late.add(slot);
  }

  found(): Found {
    const faults = new Map(this.#faults.map((fault, nth) => [fault, this.#counts[nth] as number]));
    const { condition } = this;
    return {
      condition,
      members: this.#members,
      faults: this.#source.isWhole ? faults : undefined,
    };
  }

  /** Looks at an agent; answers whether it passes. */
  #look(slot: Slot): boolean {
    if (!this.condition.ability.has(slot)) return false;
    const fault = this.condition.faultOf(slot);
    if (fault === undefined) {
      this.#verdicts[slot] = ELIGIBLE;
      return true;
    }
    let place = this.#faults.indexOf(fault);
    if (place === -1) {
      place = this.#faults.push(fault) - 1;
      this.#counts.push(0);
    }
    this.#verdicts[slot] = place + 2;
    this.#count(place + 2, 1);
    return false;
  }

  #count(verdict: Verdict, change: 1 | -1): void {
    const place = verdict - 2;
    this.#counts[place] = (this.#counts[place] as number) + change;
  }
}
