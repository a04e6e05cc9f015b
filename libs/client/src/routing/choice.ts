import type { Strategy } from "./target.ts";

/** What a choice looks at in an agent that can be called. */
export interface Choosable {
  /** Its place in the answer of discovery, from 0. */
  readonly rank: number;
  /** Calls of this channel that are under way. */
  readonly underWay: number;
  /** The number of the pick that chose it last; 0 when none has. */
  readonly lastPick: number;
}

/** Whether the first of two should be chosen before the second: below 0 if so. */
type Preference = (a: Choosable, b: Choosable) => number;

const BY_RANK: Preference = (a, b) => a.rank - b.rank;
/** Who has waited longest: turns are equal however agents come and go. */
const BY_TURN: Preference = (a, b) => a.lastPick - b.lastPick || BY_RANK(a, b);
const BY_LOAD: Preference = (a, b) => a.underWay - b.underWay || BY_TURN(a, b);

const PREFERENCES: Readonly<Record<Exclude<Strategy, "random" | "power_of_two">, Preference>> = {
  round_robin: BY_TURN,
  least_loaded: BY_LOAD,
  cheapest: BY_RANK,
  best: BY_RANK,
  fastest: BY_RANK,
};

/**
 * The agent that a call goes to, among those that can be called now; undefined when there is none.
 * `random` gives numbers from 0 to below 1.
 */
export function choose<T extends Choosable>(
  strategy: Strategy,
  agents: readonly T[],
  random: () => number,
): T | undefined {
  if (strategy === "random") return agents[Math.floor(random() * agents.length)];
  if (strategy === "power_of_two") return lessLoadedOfTwo(agents, random);
  const preferred = PREFERENCES[strategy];
  let chosen = agents[0];
  for (const agent of agents) {
    if (chosen !== undefined && preferred(agent, chosen) < 0) chosen = agent;
  }
  return chosen;
}

function lessLoadedOfTwo<T extends Choosable>(agents: readonly T[], random: () => number) {
  const first = Math.floor(random() * agents.length);
  // One of the others, each as likely.
  const second = (first + 1 + Math.floor(random() * (agents.length - 1))) % agents.length;
  const [one, other] = [agents[first], agents[second]];
  return one !== undefined && other !== undefined && BY_LOAD(other, one) < 0 ? other : one;
}
