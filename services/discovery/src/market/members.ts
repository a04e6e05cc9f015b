import type { Agents } from "./agents.ts";
import type { Condition } from "./condition.ts";
import { Currencies } from "./currencies.ts";
import { OrderedSet, type Slot } from "./ordered-set.ts";

/** Who passes a filter, and what is known of all of them together. */
export class Members {
  readonly byId: OrderedSet;
  /** What they ask; undefined where the filter lets one currency pass only. */
  readonly currencies: Currencies | undefined;
  /** Nobody is surer. It only grows: found anew with each change of the surest it would cost what it saves. */
  mostPpm = 1;
  readonly #condition: Condition;

  constructor(agents: Agents, condition: Condition) {
    this.#condition = condition;
    this.byId = new OrderedSet(agents.order.ordering());
    this.currencies = condition.currency === 0 ? new Currencies(agents, []) : undefined;
  }

  /** Adds one whose id comes after all others. */
  append(slot: Slot): void {
    this.byId.append(slot);
    this.#count(slot);
  }

  /** Adds one. */
  insert(slot: Slot): void {
    this.byId.insert(slot);
    this.#count(slot);
  }

  /** Takes one out that is as it was when it was added. */
  remove(slot: Slot): void {
    this.byId.remove(slot);
    this.currencies?.add(slot, -1);
  }

  /** Says that one may have become surer. */
  raise(slot: Slot): void {
    this.mostPpm = Math.max(this.mostPpm, this.#condition.ability.ppm(slot));
  }

  #count(slot: Slot): void {
    this.currencies?.add(slot, 1);
    this.raise(slot);
  }
}
