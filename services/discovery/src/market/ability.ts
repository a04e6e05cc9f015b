import { UNPROVEN_PPM, type Wanted } from "../reliability.ts";
import type { Agents } from "./agents.ts";
import type { Slot } from "./ordered-set.ts";

/** What is wanted of agents, held ready to look at many: who can do it, and how surely. */
export class Ability {
  readonly #agents: Agents;
  readonly #wanted: readonly number[];
  /** All are wanted, or any one. */
  readonly isAll: boolean;

  /** Holds the names of the capabilities until it is released. */
  constructor(agents: Agents, { capabilities, match }: Wanted) {
    this.#agents = agents;
    this.#wanted = capabilities.map((name) => agents.capabilities.hold(name));
    this.isAll = match === "ALL";
  }

  /** The numbers of the capabilities. */
  get numbers(): readonly number[] {
    return this.#wanted;
  }

  release(): void {
    for (const number of this.#wanted) this.#agents.capabilities.release(number);
  }

  /** Whether an agent has the capabilities that are wanted; everybody has none. */
  has(slot: Slot): boolean {
    const wanted = this.#wanted;
    if (wanted.length === 0) return true;
    for (let index = 0; index < wanted.length; index += 1) {
      const isHeld = this.#boundOf(slot, wanted[index] as number) >= 0;
      if (isHeld !== this.isAll) return isHeld;
    }
    return this.isAll;
  }

  /**
   * How surely an agent succeeds at what is wanted, in ppm: at its weakest of the capabilities when all are wanted, at
   * its strongest when any will do, and at its strongest of all when none is named.
   */
  ppm(slot: Slot): number {
    const wanted = this.#wanted;
    if (wanted.length === 0) return this.#strongest(slot);
    let weakest = Infinity;
    let strongest = -1;
    for (let index = 0; index < wanted.length; index += 1) {
      const bound = this.#boundOf(slot, wanted[index] as number);
      if (bound < 0) continue;
      if (bound < weakest) weakest = bound;
      if (bound > strongest) strongest = bound;
    }
    if (strongest < 0) return UNPROVEN_PPM;
    return this.isAll ? weakest : strongest;
  }

  /** Whether breakers keep an agent from what is wanted: one of them, or, when any will do, each. */
  isBroken(slot: Slot): boolean {
    const breakers = this.#agents.breakers.get(slot);
    if (breakers === undefined || this.#wanted.length === 0) return false;
    const held = this.#wanted.filter((capability) => this.#boundOf(slot, capability) >= 0);
    const isOpen = (capability: number) => breakers.get(capability) === "OPEN";
    return this.isAll ? held.some(isOpen) : held.every(isOpen);
  }

  /** The lower bound at a capability; -1 when the agent does not have it. */
  #boundOf(slot: Slot, capability: number): number {
    const { numbers, start, count } = this.#agents.records;
    const from = start[slot] as number;
    const end = from + (count[slot] as number);
    for (let at = from; at < end; at += 2) {
      if (numbers[at] === capability) return numbers[at + 1] as number;
    }
    return -1;
  }

  #strongest(slot: Slot): number {
    const { numbers, start, count } = this.#agents.records;
    const from = start[slot] as number;
    const end = from + (count[slot] as number);
    let strongest = end > from ? -1 : UNPROVEN_PPM;
    for (let at = from + 1; at < end; at += 2) {
      const bound = numbers[at] as number;
      if (bound > strongest) strongest = bound;
    }
    return strongest;
  }
}
