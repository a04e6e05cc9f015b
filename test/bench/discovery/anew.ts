import { SelectionStrategy } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { type Chance, chanceOf } from "../../support/chance.ts";
import { PRICE_STEP_MICROS } from "./population.ts";
import { pickOf, pickTarget, refuse, searchOf, searchTarget, type Target } from "./targets.ts";
import { PICKED, SEARCHED, type Wanted } from "./wanted.ts";

/** So many requests, each another one: discovery does not remember a filter for that long. */
const MESSAGES = 40_000;
/** So many of them are asked one by one, and their answers looked at. */
const CHECKED = 32;

/** From half a unit to ten: some agents ask less, and nearly all requests have a bound of their own. */
const CEILING = { least: 500_000, most: 10_000_000 };

const STRATEGIES = Object.values(SelectionStrategy).filter(
  (strategy) => strategy !== SelectionStrategy.UNSPECIFIED,
);

/** Picks and searches whose price ceiling is another each time, and picks that are refused for theirs. */
export function anew(): readonly Target[] {
  return [picksAnew(), searchesAnew(), refusals()];
}

function picksAnew(): Target {
  // Of the rare one perhaps nobody asks so little.
  const asked = picksBelow(PICKED.slice(0, -1), CEILING);
  return { ...pickTarget("SelectAgent, another max_cost", asked, CHECKED), isVaried: true };
}

function searchesAnew(): Target {
  const asked = ceilings(SEARCHED, CEILING).map((wanted) => ({
    wanted,
    request: searchOf(wanted),
  }));
  return { ...searchTarget("SearchAgents, another max_cost", asked, CHECKED), isVaried: true };
}

function refusals(): Target {
  const subject = "SelectAgent, refused";
  const asked = picksBelow(PICKED, { least: 1, most: Number(PRICE_STEP_MICROS) - 1 });
  return {
    ...pickTarget(subject, asked),
    isVaried: true,
    code: "not_found",
    async check(caller) {
      const refused = asked.slice(0, CHECKED).map(async ({ request }) => {
        const error = await caller.selectAgent(request).then(
          () => undefined,
          (refusal: unknown) => refusal,
        );
        const isRefused = reasonOf(error) === "NO_ELIGIBLE_AGENTS";
        refuse(
          subject,
          isRefused ? undefined : `and not refused: ${error ?? "somebody was picked"}`,
        );
      });
      await Promise.all(refused);
      return 0;
    },
  };
}

/** Picks with a ceiling between these each, by all strategies in turns. */
function picksBelow(filters: readonly Wanted[], between: Ceilings) {
  return ceilings(filters, between).map((wanted, nth) => {
    const turn = Math.floor(nth / filters.length) % STRATEGIES.length;
    return { wanted, request: pickOf(wanted, STRATEGIES[turn] ?? SelectionStrategy.RANDOM) };
  });
}

interface Ceilings {
  readonly least: number;
  readonly most: number;
}

/** Filters in turns, with a ceiling between these each. */
function ceilings(filters: readonly Wanted[], { least, most }: Ceilings): readonly Wanted[] {
  const chance: Chance = chanceOf(least);
  return Array.from({ length: MESSAGES }, (_, nth) => ({
    ...(filters[nth % filters.length] as Wanted),
    ceilingMicros: BigInt(least + chance.below(most - least + 1)),
  }));
}
