import { among, type Strategy } from "./choice.ts";
import { first } from "./first.ts";
import { STATES, type State } from "./listing.ts";
import { weighing } from "./lot.ts";
import type { Agents } from "./market/agents.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { Lots, View, ViewOrder } from "./market/view.ts";
import { type Pool, poolOf } from "./pool.ts";
import { UNPROVEN_PPM } from "./reliability.ts";
import { noEligibleAgents, panicWords, type Selection, type SelectionParts } from "./selection.ts";
import { shareOf } from "./slow-start.ts";
import { rotationKey } from "./turn.ts";

/** What is looked at in an agent; shares and chances are from 0 to 1. */
export interface Parts {
  readonly state: State;
  readonly load: number;
  readonly recentPicks: number;
  readonly reliabilityPpm: number;
  readonly scorePpm: number;
  readonly p95LatencyMs: number | undefined;
  readonly capacityPerHour: number;
  readonly share: number | undefined;
  readonly chance: number | undefined;
}

/** An agent, as it is read, and what is looked at in it. */
export interface Explained<T> extends Parts {
  readonly agent: T;
}

/** What a selection would do. */
export interface Explanation<T> {
  readonly reason: string;
  readonly candidates: readonly Explained<T>[];
  readonly eligibleCount: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly isPanic: boolean;
  /** Eligible agents without a record. */
  readonly unprovenCount: number;
}

/** Beyond this many agents weights are summed up from a sample. */
const SAMPLE = 10_000;

const HOW: Readonly<Record<Strategy, string>> = {
  ROUND_ROBIN: "next in turn",
  LEAST_LOADED: "the least loaded",
  RANDOM: "any, each as likely,",
  CHEAPEST: "the cheapest",
  BEST: "the most reliable",
  WEIGHTED: "any, by its reliability,",
  POWER_OF_TWO: "the less loaded of any two",
  FASTEST: "the fastest",
};

/** The order in which the candidates of a strategy are named. */
const ORDERS: Readonly<Record<Exclude<Strategy, "ROUND_ROBIN">, ViewOrder>> = {
  LEAST_LOADED: "LOAD",
  RANDOM: "LOAD",
  CHEAPEST: "CHEAPEST",
  BEST: "BEST",
  WEIGHTED: "RELIABILITY",
  POWER_OF_TWO: "LOAD",
  FASTEST: "FASTEST",
};

/** Explains whom a selection would pick and why; picks nobody and takes no turn. */
export async function explain<T>(
  parts: SelectionParts<T>,
  selection: Selection,
  count: number,
): Promise<Explanation<T>> {
  const { market, rotation } = parts;
  const look = () => poolOf(market, selection, (filter) => market.whole(filter));
  if (selection.strategy !== "ROUND_ROBIN") {
    return market.finding(() => explained(parts, selection, { pool: look(), count }));
  }
  const key = await market.finding(() => rotationKey(look().view));
  const { cursor } = await rotation.peek(key);
  return market.finding(() => explained(parts, selection, { pool: look(), count, cursor }));
}

interface Asked {
  readonly pool: Pool;
  readonly count: number;
  readonly cursor?: string | undefined;
}

function explained<T>(
  { market, read, now }: SelectionParts<T>,
  selection: Selection,
  { pool, count, cursor }: Asked,
): Explanation<T> {
  const { strategy, slowStart } = selection;
  const { view } = pool;
  // Once all else is there: it holds until the next change only.
  market.whole(pool.whole().filter, true);
  const counts = pool.counts();
  const isPanic = pool.panic !== undefined;
  if (view.size === 0) {
    const reason = noEligibleAgents(counts).message;
    return { reason, candidates: [], eligibleCount: 0, counts, isPanic, unprovenCount: 0 };
  }
  const { agents } = market;
  const nowMs = now().getTime();
  const chanceOf = chances(selection, { view, agents, now });
  const slots = named(strategy, { view, count, cursor });
  const leftOut = pool.leftOut();
  const isUnproven = (slot: Slot) => pool.whole().ability.ppm(slot) === UNPROVEN_PPM;
  return {
    reason: `${strategy}: ${HOW[strategy]} ${among(view)}${panicWords(pool)}`,
    candidates: slots.map((slot) => ({
      ...factsOf(agents, view, slot),
      agent: read(slot),
      share: slowStart && shareOf(agents.createdMs[slot] as number, nowMs, slowStart),
      chance: chanceOf?.(slot),
    })),
    eligibleCount: view.size,
    counts,
    isPanic,
    unprovenCount: pool.whole().unproven().size - leftOut.filter(isUnproven).length,
  };
}

/** What is looked at in any agent that passes a filter. */
export function factsOf(agents: Agents, { ability }: View, slot: Slot): Parts {
  const p95Ms = agents.p95Ms[slot] as number;
  return {
    state: STATES[agents.state[slot] as number] ?? "OFFLINE",
    load: agents.loadOf(slot),
    recentPicks: agents.picks[slot] as number,
    reliabilityPpm: ability.ppm(slot),
    scorePpm: agents.scorePpm[slot] as number,
    p95LatencyMs: p95Ms === Infinity ? undefined : p95Ms,
    capacityPerHour: agents.capacity[slot] as number,
    share: undefined,
    chance: undefined,
  };
}

interface Named {
  readonly view: View;
  readonly count: number;
  readonly cursor: string | undefined;
}

function named(strategy: Strategy, { view, count, cursor }: Named): Slot[] {
  if (strategy === "ROUND_ROBIN") return view.turnsAfter(cursor ?? "", count);
  return first(view.walk(ORDERS[strategy]), count);
}

interface Moment {
  readonly view: View;
  readonly agents: Agents;
  readonly now: () => Date;
}

/** The chance of each agent, where chance decides and can be told. */
function chances(
  { strategy, slowStart }: Selection,
  { view, agents, now }: Moment,
): ((slot: Slot) => number) | undefined {
  const lots = view.ranks;
  if (lots === undefined) return undefined;
  if (strategy === "POWER_OF_TWO") {
    return slowStart && view.size > 1 ? undefined : byTwo(lots, agents);
  }
  if (strategy !== "RANDOM" && strategy !== "WEIGHTED") return undefined;
  const weigh = weighing(strategy, view, { agents, now, slowStart }) ?? (() => 1);
  const sum = sumOf(lots, weigh);
  return (slot) => (sum === 0 ? 1 / view.size : weigh(slot) / sum);
}

/** Of all pairs that can be drawn, those in which an agent is less loaded; half of those in which it is as loaded. */
function byTwo(lots: Lots, agents: Agents): (slot: Slot) => number {
  const { size } = lots;
  if (size === 1) return () => 1;
  const counts = new Map<number, number>();
  for (let rank = 0; rank < size; rank += 1) {
    const load = agents.loadOf(lots.at(rank));
    counts.set(load, (counts.get(load) ?? 0) + 1);
  }
  return (slot) => {
    const load = agents.loadOf(slot);
    let more = 0;
    for (const [other, count] of counts) if (other > load) more += count;
    return (2 * more + (counts.get(load) ?? 0) - 1) / (size * (size - 1));
  };
}

function sumOf(lots: Lots, weigh: (slot: Slot) => number): number {
  const looked = Math.min(lots.size, SAMPLE);
  let sum = 0;
  for (let nth = 0; nth < looked; nth += 1) {
    sum += weigh(lots.at(Math.floor((nth * lots.size) / looked)));
  }
  return (sum * lots.size) / looked;
}
