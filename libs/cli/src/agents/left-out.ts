const OWN = "is the market's own record";
const DEMO = "is for the demo";

/** Keys of an agent that are no part of a registration, and why not: nobody can write a reputation, only earn it. */
export const OF_AGENT: Readonly<Record<string, string>> = {
  reputation: OWN,
  registered: OWN,
  updated: OWN,
  bid: DEMO,
  earlier: DEMO,
};

/** Keys beside a list of agents, likewise. */
export const BESIDE_AGENTS: Readonly<Record<string, string>> = {
  marketplace_version: OWN,
  total_agents: OWN,
  updated: OWN,
};

/** What a file says that is left out, counted, since a large file says it of each agent. */
export interface LeftOut {
  /** Counts a key that was left out, with the reason. */
  add(key: string, reason: string): void;
  /** Prints each key once, with its count. Called once, at the end. */
  end(): void;
}

/** An empty count that prints by `print`, a line at a time. */
export function createLeftOut(print: (text: string) => void): LeftOut {
  const counts = new Map<string, number>();
  return {
    add(key, reason) {
      const what = `${key} ${reason}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    },
    end() {
      for (const [what, count] of counts) {
        print(`${what}: left out ${count === 1 ? "once" : `${count} times`}`);
      }
    },
  };
}
