import type { Strategy } from "./choice.ts";
import type { Filter } from "./filter.ts";
import type { Market } from "./market/market.ts";
import type { Slot } from "./market/ordered-set.ts";
import type { View } from "./market/view.ts";

/** Who may be picked. */
export interface Pooling {
  readonly filter: Filter;
  readonly strategy: Strategy;
  /** Agents that must not be named. */
  readonly excluded: ReadonlySet<string>;
  /** Below this share of available ones, from 0 to 1, the others are candidates too; 0: never. */
  readonly panicThreshold: number;
}

/** The agents that may be picked, as they are at each moment. */
export interface Pool {
  /** All that pass, the excluded ones among them. */
  readonly whole: () => View;
  /** Those that are eligible, until something is waited for. */
  readonly view: View;
  /** Those that are eligible at a later moment. */
  readonly look: () => View;
  /** Those that pass and are excluded. */
  readonly leftOut: () => Slot[];
  /** How few were available, in words, when that is why all are candidates; undefined otherwise. */
  readonly panic: string | undefined;
  /** `total`, and how many were kept out by what. */
  readonly counts: () => Record<string, number>;
}

/** The pool that a pick is made from, as `look` finds agents. @throws Wanted */
export function poolOf(
  market: Market,
  pooling: Pooling,
  look: (filter: Filter) => View = (filter) => market.view(filter),
): Pool {
  const { strategy, excluded, panicThreshold } = pooling;
  const bare = (view: View): View =>
    excluded.size === 0 ? view : view.without(slotsOf(market, excluded));
  const allowed = (filter: Filter) => (strategy === "LEAST_LOADED" ? reachable(filter) : filter);
  let all = look(allowed(pooling.filter));
  let panic: Pool["panic"];
  if (panicThreshold > 0) {
    // Any state, and not none: that would let those pass, too, whose breaker is open.
    const anyhow = { ...pooling.filter, states: ANY };
    const [available, of] = [bare(all), bare(look(anyhow))];
    if (available.size < panicThreshold * of.size) {
      panic = `only ${sizeOf(available)} of ${sizeOf(of)} are available`;
      all = look(allowed(anyhow));
    }
  }
  const whole = (): View => {
    all = market.renew(all);
    return all;
  };
  return {
    whole,
    view: bare(all),
    look: () => bare(whole()),
    leftOut: () => slotsOf(market, excluded).filter((slot) => whole().has(slot)),
    panic,
    counts: () => market.counts(whole(), excluded),
  };
}

function sizeOf({ size, isEstimate }: View): string {
  return isEstimate ? `about ${size}` : `${size}`;
}

function slotsOf(market: Market, ids: ReadonlySet<string>): Slot[] {
  return Array.from(ids, (id) => market.slotOf(id)).filter((slot) => slot !== undefined);
}

const ANY = ["BUSY", "MAINTENANCE", "OFFLINE", "ONLINE"] as const;
const REACHABLE = ["ONLINE", "BUSY", "MAINTENANCE"] as const;

/** An OFFLINE agent has little in flight and is no place to send work to, even if the filter lets it pass. */
function reachable(filter: Filter): Filter {
  const states = filter.states ?? REACHABLE;
  return { ...filter, states: states.filter((state) => state !== "OFFLINE") };
}
