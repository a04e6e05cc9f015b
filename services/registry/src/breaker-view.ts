import {
  type Breaker,
  type BreakerEvent,
  type BreakerPhase,
  phaseOf,
  stepBreaker,
} from "./breaker.ts";
import type { AgentBreaker, BreakerChange, NamedBreaker } from "./breaker-store.ts";

/** The breakers that are not closed, as one replica knows them. */
export interface BreakerView {
  readonly known: (agentId: string, nowMs: number) => readonly NamedBreaker[];
  all(nowMs: number): readonly AgentBreaker[];
  counts(nowMs: number): { readonly OPEN: number; readonly HALF_OPEN: number };
  readonly agentIds: () => readonly string[];
  /** Takes in what is stored of an agent. */
  learn(agentId: string, breakers: readonly NamedBreaker[], nowMs: number): void;
  /** The agents of which those who listen do not know what holds now; they are told with it. */
  untold(nowMs: number): readonly string[];
}

interface Entry extends NamedBreaker {
  /** What was last told of it. */
  readonly told: BreakerPhase;
}

/** A view that knows nothing yet. */
export function createBreakerView(): BreakerView {
  const agents = new Map<string, readonly Entry[]>();
  const changed = new Set<string>();
  return {
    known(agentId, nowMs) {
      return (agents.get(agentId) ?? []).filter(
        ({ breaker }) => phaseOf(breaker, nowMs) !== "CLOSED",
      );
    },
    all(nowMs) {
      return [...agents].flatMap(([agentId, entries]) =>
        entries.flatMap(({ capability, breaker }) =>
          phaseOf(breaker, nowMs) === "CLOSED" ? [] : { agentId, capability, breaker },
        ),
      );
    },
    counts(nowMs) {
      const counts = { CLOSED: 0, OPEN: 0, HALF_OPEN: 0 };
      for (const entries of agents.values()) {
        for (const { breaker } of entries) counts[phaseOf(breaker, nowMs)] += 1;
      }
      return counts;
    },
    agentIds: () => [...agents.keys()],
    learn(agentId, breakers, nowMs) {
      const before = agents.get(agentId) ?? [];
      const entries = breakers
        .map((one) => ({ ...one, told: phaseOf(one.breaker, nowMs) }))
        .filter(({ told }) => told !== "CLOSED")
        .sort((one, other) => (one.capability < other.capability ? -1 : 1));
      if (entries.length === 0) agents.delete(agentId);
      else agents.set(agentId, entries);
      if (toldOf(before) !== toldOf(entries)) changed.add(agentId);
    },
    untold(nowMs) {
      for (const [agentId, entries] of agents) {
        const isDue = entries.some(({ breaker, told }) => phaseOf(breaker, nowMs) !== told);
        if (isDue) this.learn(agentId, entries, nowMs);
      }
      const untold = [...changed];
      changed.clear();
      return untold;
    },
  };
}

/** What of the breakers of an agent is news when it changes. */
function toldOf(entries: readonly Entry[]): string {
  return JSON.stringify(
    entries.map(({ capability, told, breaker: { opening } }) => {
      return [capability, told, opening?.atMs, opening?.retryMs, opening?.successes];
    }),
  );
}

/** Lets events happen to a breaker one after the other. */
export function stepThrough(
  before: Breaker | undefined,
  events: readonly BreakerEvent[],
  nowMs: number,
): BreakerChange {
  let after = before;
  const taken = events.map((event) => {
    const step = stepBreaker(after, event, nowMs);
    after = step.breaker;
    return step.taken;
  });
  return { before, after, taken };
}
