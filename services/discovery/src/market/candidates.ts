import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import type { OrderedSet, Slot } from "./ordered-set.ts";

/** Agents by what they can do; the holders of a capability are kept in the order of ids. */
export interface Holders {
  /** The holders of a capability, by its number; undefined when there are none. */
  of(capability: number): OrderedSet | undefined;
}

/** The agents that have the wanted capabilities, by id: looks at the holders of the rarest, or of any, only. */
export function candidates(
  agents: Agents,
  holders: Holders,
  ability: Ability,
): Int32Array<ArrayBuffer> {
  const { numbers, isAll } = ability;
  if (numbers.length === 0) return agents.order.all.toArray();
  const sets = numbers.map((number) => holders.of(number));
  if (!isAll) {
    let any = NOBODY;
    for (const set of sets) if (set) any = merged(any, set.toArray(), agents.order.labels);
    return any;
  }
  const rarest = sets.reduce((a, b) => ((b?.size ?? 0) < (a?.size ?? 0) ? b : a));
  const able = rarest?.toArray() ?? NOBODY;
  return numbers.length === 1 ? able : able.filter((slot) => ability.has(slot));
}

type Bare = Int32Array<ArrayBuffer>;
const NOBODY: Bare = new Int32Array(0);

/** Two lists of slots that are sorted by label as one, each slot once. */
function merged(left: Bare, right: Bare, labels: Float64Array): Bare {
  if (left.length === 0) return right;
  const all = new Int32Array(left.length + right.length);
  const labelAt = (slots: Int32Array, at: number): number =>
    at < slots.length ? (labels[slots[at] as Slot] as number) : Infinity;
  let [a, b, end] = [0, 0, 0];
  while (a < left.length || b < right.length) {
    const [first, second] = [labelAt(left, a), labelAt(right, b)];
    all[end] = (first <= second ? left[a] : right[b]) as Slot;
    end += 1;
    if (first <= second) a += 1;
    if (second <= first) b += 1;
  }
  return all.subarray(0, end);
}
