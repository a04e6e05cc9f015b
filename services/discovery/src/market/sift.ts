import type { Fault } from "../filter.ts";
import type { Condition } from "./condition.ts";

/** How many agents that have the capabilities were kept out by what. */
export type Faults = ReadonlyMap<Fault, number>;

/** Sifts agents that have the capabilities: who passes, in the order in which they came, and who does not, by what. */
export function sift(
  able: Int32Array,
  condition: Condition,
): { readonly eligible: Int32Array; readonly faults: Faults } {
  const eligible = new Int32Array(able.length);
  const faults = new Map<Fault, number>();
  let count = 0;
  for (const slot of able) {
    const fault = condition.faultOf(slot);
    if (fault === undefined) {
      eligible[count] = slot;
      count += 1;
    } else faults.set(fault, (faults.get(fault) ?? 0) + 1);
  }
  return { eligible: eligible.slice(0, count), faults };
}
