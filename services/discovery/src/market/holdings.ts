import { STATE_RANK } from "../listing.ts";
import type { Agents } from "./agents.ts";
import { OrderedSet, type Slot } from "./ordered-set.ts";

/** The agents that have a capability. */
interface Holding {
  readonly set: OrderedSet;
  online: number;
}

/** Who has which capability, by id, and how many of them are ONLINE. */
export class Holdings {
  readonly #agents: Agents;
  readonly #byCapability = new Map<number, Holding>();

  constructor(agents: Agents) {
    this.#agents = agents;
  }

  /** The holders of a capability, by its number; undefined when there are none. */
  of(capability: number): OrderedSet | undefined {
    return this.#byCapability.get(capability)?.set;
  }

  /** Each capability that somebody has, with how many do and how many of them are ONLINE. */
  *counts(): Generator<{ capability: string; agents: number; online: number }, void, undefined> {
    for (const [capability, { set, online }] of this.#byCapability) {
      const name = this.#agents.capabilities.textOf(capability);
      yield { capability: name, agents: set.size, online };
    }
  }

  /** Enters an agent with what it can do. */
  enter(slot: Slot): void {
    const online = this.#agents.state[slot] === STATE_RANK.ONLINE ? 1 : 0;
    for (const capability of this.#agents.capabilitiesOf(slot)) {
      let holding = this.#byCapability.get(capability);
      if (holding === undefined) {
        holding = { set: new OrderedSet(this.#agents.order.ordering()), online: 0 };
        this.#byCapability.set(capability, holding);
      }
      holding.set.insert(slot);
      holding.online += online;
    }
  }

  /** Finds out anew who has what. */
  renew(): void {
    const { capabilities, order, state } = this.#agents;
    const held: Slot[][] = Array.from({ length: capabilities.end }, () => []);
    const online = new Int32Array(capabilities.end);
    for (const slot of order.all.walk()) {
      for (const capability of this.#agents.capabilitiesOf(slot)) {
        (held[capability] as Slot[]).push(slot);
        if (state[slot] === STATE_RANK.ONLINE) online[capability] = (online[capability] ?? 0) + 1;
      }
    }
    this.#byCapability.clear();
    for (const [capability, slots] of held.entries()) {
      if (slots.length === 0) continue;
      const set = OrderedSet.of(Int32Array.from(slots), order.ordering());
      this.#byCapability.set(capability, { set, online: online[capability] ?? 0 });
    }
  }

  /** Takes an agent out that is as it was when it was entered. */
  leave(slot: Slot): void {
    const online = this.#agents.state[slot] === STATE_RANK.ONLINE ? 1 : 0;
    for (const capability of this.#agents.capabilitiesOf(slot)) {
      const holding = this.#byCapability.get(capability);
      if (holding === undefined) continue;
      holding.set.remove(slot);
      holding.online -= online;
      if (holding.set.size === 0) this.#byCapability.delete(capability);
    }
  }

  /** Counts an agent whose state alone changes: out with -1 before, in with 1 after. */
  count(slot: Slot, change: 1 | -1): void {
    if (this.#agents.state[slot] !== STATE_RANK.ONLINE) return;
    for (const capability of this.#agents.capabilitiesOf(slot)) {
      const holding = this.#byCapability.get(capability);
      if (holding !== undefined) holding.online += change;
    }
  }
}
