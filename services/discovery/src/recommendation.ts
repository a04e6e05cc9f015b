import type { Filter } from "./filter.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { Ranking, WholeView } from "./market/view.ts";
import type { Rotation } from "./rotation.ts";
import { noEligibleAgents } from "./selection.ts";

/** Asks for the best few agents for a capability. */
export interface Recommendation {
  readonly capability: string;
  readonly count: number;
  /** Name BUSY agents too, after the ONLINE ones. */
  readonly includeBusy: boolean;
}

/** What recommending needs. */
export interface RecommendationParts<T> {
  readonly market: Market;
  /** Reads an agent at once: later its slot may be another's. */
  readonly read: (slot: Slot) => T;
  readonly rotation: Rotation;
}

/**
 * Names the best few by reliability. Those that are equally reliable take turns: each call goes on where the one before
 * stopped among them.
 * @throws Rejection NO_ELIGIBLE_AGENTS with the counts of who was kept out by what
 */
export async function recommend<T>(
  parts: RecommendationParts<T>,
  recommendation: Recommendation,
): Promise<readonly T[]> {
  return parts.market.finding(() => recommendNow(parts, recommendation));
}

async function recommendNow<T>(
  { market, read, rotation }: RecommendationParts<T>,
  { capability, count, includeBusy }: Recommendation,
): Promise<readonly T[]> {
  const filter: Filter = {
    capabilities: [capability],
    match: "ALL",
    maxCost: undefined,
    states: includeBusy ? ["ONLINE", "BUSY"] : ["ONLINE"],
    minReliabilityPpm: undefined,
    maxLatencyMs: undefined,
    labels: {},
    words: [],
    endpointScheme: undefined,
  };
  let view = market.whole(filter);
  if (view.size === 0) throw noEligibleAgents(market.counts(view));

  const named = new Map<string, T>();
  let equals = equalsAfter(market, view, undefined);
  while (equals !== undefined && named.size < count) {
    const [those, wanted] = [equals, count - named.size];
    const ids = await market.finding(() => inTurn({ market, rotation }, view, those, wanted));
    // What has to be made from here on is waited for: whoever began anew would take other turns.
    equals = await market.finding(() => {
      view = market.renew(view);
      // Others may have gone or changed while the turn was taken.
      for (const id of ids) {
        const slot = market.slotOf(id);
        if (slot !== undefined && view.has(slot)) named.set(id, read(slot));
      }
      return equalsAfter(market, view, those);
    });
  }
  return [...named.values()];
}

/** Agents that are equally good: what they have in common. */
interface Equals {
  readonly state: number;
  readonly ppm: number;
}

/** The best that are not as good as these; the best of all when there are none. */
function equalsAfter(market: Market, view: WholeView, last: Equals | undefined) {
  const ranking = view.in("STANDING");
  const rank = last === undefined ? 0 : rangeOf(market, view, ranking, last).end;
  return rank < ranking.size ? equalsOf(market, view, ranking.at(rank)) : undefined;
}

function equalsOf({ agents }: Market, { ability }: WholeView, slot: Slot): Equals {
  return { state: agents.state[slot] as number, ppm: ability.ppm(slot) };
}

/** The ranks at which equals stand, by id among themselves; up to `end`, which is not one of them. */
function rangeOf(market: Market, view: WholeView, ranking: Ranking, { state, ppm }: Equals) {
  const standing = (slot: Slot): number => {
    const other = equalsOf(market, view, slot);
    return other.state - state || ppm - other.ppm;
  };
  return {
    from: ranking.lowerBound((slot) => standing(slot) < 0),
    end: ranking.lowerBound((slot) => standing(slot) <= 0),
    standing,
  };
}

async function inTurn(
  { market, rotation }: Omit<RecommendationParts<unknown>, "read">,
  view: WholeView,
  equals: Equals,
  wanted: number,
): Promise<readonly string[]> {
  const { agents } = market;
  const key = JSON.stringify(["recommend", view.filter.capabilities, equals.state, equals.ppm]);
  let current = market.renew(view);
  let named: readonly string[] = [];
  const next = (cursor: string): string | undefined => {
    current = market.renew(current);
    const ranking = current.in("STANDING");
    const { from, end, standing } = rangeOf(market, current, ranking, equals);
    const size = end - from;
    const first = ranking.lowerBound((slot) => {
      return (standing(slot) || (agents.idOf(slot) <= cursor ? -1 : 1)) < 0;
    });
    named = Array.from({ length: Math.min(wanted, size) }, (_, index) =>
      agents.idOf(ranking.at(from + ((first - from + index) % size))),
    );
    // When all are named the next call begins one further on, else after the last one named.
    return named.length < size ? named.at(-1) : named[0];
  };
  let fault: unknown;
  const step = (cursor: string): string | undefined => {
    fault = undefined;
    try {
      return next(cursor);
    } catch (error) {
      // A step must not throw. The turn is not taken then.
      fault = error;
      return undefined;
    }
  };
  const { from, end } = rangeOf(market, current, current.in("STANDING"), equals);
  if (end - from === 1) next("");
  else await rotation.turn(key, (cursor) => step(cursor ?? ""));
  if (fault !== undefined) throw fault;
  return named;
}
