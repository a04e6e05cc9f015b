import type { Wanted } from "../reliability.ts";
import type { Agents } from "./agents.ts";
import type { Slot } from "./ordered-set.ts";

/**
 * The capability at which an agent has to be tried before it is relied on, since its breaker is half open there; with
 * ANY none, when it has another whose breaker is closed.
 */
export function trialOf(agents: Agents, slot: Slot, wanted: Wanted): string | undefined {
  const breakers = agents.breakers.get(slot);
  if (breakers === undefined) return undefined;
  const own = agents.capabilitiesOf(slot);
  const held = wanted.capabilities
    .map((name) => agents.capabilities.find(name))
    .filter((number) => number !== undefined && own.includes(number)) as number[];
  if (wanted.match === "ANY" && held.some((number) => !breakers.has(number))) return undefined;
  const tried = held.find((number) => breakers.get(number) === "HALF_OPEN");
  return tried === undefined ? undefined : agents.capabilities.textOf(tried);
}

/** The agents whose breaker is half open, by capability. */
export function halfOpen(agents: Agents): ReadonlyMap<string, readonly Slot[]> {
  const byCapability = new Map<string, Slot[]>();
  for (const [slot, breakers] of agents.breakers) {
    for (const [number, state] of breakers) {
      if (state !== "HALF_OPEN") continue;
      const capability = agents.capabilities.textOf(number);
      const slots = byCapability.get(capability);
      if (slots === undefined) byCapability.set(capability, [slot]);
      else slots.push(slot);
    }
  }
  return byCapability;
}

/** The agents that have to be tried. */
export function toBeTried(agents: Agents, wanted: Wanted): string[] {
  const slots = [...agents.breakers.keys()];
  return slots
    .filter((slot) => trialOf(agents, slot, wanted) !== undefined)
    .map((slot) => agents.idOf(slot));
}
