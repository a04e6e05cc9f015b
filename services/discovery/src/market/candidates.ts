import type { Wanted } from "../reliability.ts";
import type { Ability } from "./ability.ts";
import type { Agents } from "./agents.ts";
import { OrderedSet, type Slot } from "./ordered-set.ts";

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
  const sets = holdersOf(agents, holders, ability);
  const [set] = sets;
  if (ability.numbers.length < 2) return set?.toArray() ?? NOBODY;
  if (ability.isAll) return (set?.toArray() ?? NOBODY).filter((slot) => ability.has(slot));
  let any = NOBODY;
  for (const each of sets) any = merged(any, each.toArray(), agents.order.labels);
  return any;
}

/** Where more hold any of several capabilities, all agents are looked at: to merge lists would take longer. */
const MERGED_MAX = 65_536;

/** Agents by id, among which are all that have the wanted capabilities: little is looked at. */
export function mayBeAble(agents: Agents, holders: Holders, ability: Ability): Int32Array {
  const sets = holdersOf(agents, holders, ability);
  const [set, ...others] = sets;
  if (others.length === 0) return set?.toArray() ?? NOBODY;
  return mostAble(agents, holders, ability) <= MERGED_MAX
    ? candidates(agents, holders, ability)
    : agents.order.all.toArray();
}

/** At most so many agents have the wanted capabilities. */
export function mostAble(agents: Agents, holders: Holders, ability: Ability): number {
  return holdersOf(agents, holders, ability).reduce((sum, { size }) => sum + size, 0);
}

/** The same by names. */
export function mostHolders(
  agents: Agents,
  holders: Holders,
  { capabilities, match }: Wanted,
): number {
  let [least, sum] = [agents.size, 0];
  for (const name of capabilities) {
    const number = agents.capabilities.find(name);
    const size = number === undefined ? 0 : (holders.of(number)?.size ?? 0);
    least = Math.min(least, size);
    sum += size;
  }
  return match === "ALL" || capabilities.length === 0 ? least : sum;
}

/** In these sets are all who have the wanted capabilities: with ALL in one, with ANY in one for each. */
export function holdersOf(agents: Agents, holders: Holders, ability: Ability): OrderedSet[] {
  const { numbers, isAll } = ability;
  if (numbers.length === 0) return [agents.order.all];
  const sets = numbers.map((number) => holders.of(number) ?? EMPTY);
  return isAll ? [rarestOf(sets)] : sets;
}

const EMPTY = new OrderedSet({ aim: () => {}, isBefore: () => false });

function rarestOf(sets: readonly OrderedSet[]): OrderedSet {
  return sets.reduce((a, b) => (b.size < a.size ? b : a));
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
