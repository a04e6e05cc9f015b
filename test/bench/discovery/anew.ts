import {
  SearchAgentsRequestSchema,
  SearchAgentsResponseSchema,
  SelectAgentRequestSchema,
  SelectAgentResponseSchema,
  SelectionStrategy,
} from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Chance, chanceOf } from "../../support/chance.ts";
import { PRICE_STEP_MICROS } from "./population.ts";
import { meanOf, PAGE, pageFault, pickFault, refuse, type Target } from "./targets.ts";
import { filterOf, PICKED, SEARCHED, type Wanted } from "./wanted.ts";

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
  const subject = "SelectAgent, another max_cost";
  // Of the rare one perhaps nobody asks so little.
  const popular = PICKED.slice(0, -1);
  const wanted = ceilings(popular, CEILING);
  const requests = wanted.map((one, nth) => selection(one, Math.floor(nth / popular.length)));
  return {
    subject,
    method: "SelectAgent",
    isVaried: true,
    messages: requests.map((request) => toBinary(SelectAgentRequestSchema, request)),
    async check(caller, census) {
      const bytes = requests.slice(0, CHECKED).map(async (request, nth) => {
        const answer = await caller.selectAgent(request);
        refuse(subject, pickFault(answer, wanted[nth] as Wanted, census));
        return toBinary(SelectAgentResponseSchema, answer).length;
      });
      return meanOf(await Promise.all(bytes));
    },
  };
}

function searchesAnew(): Target {
  const subject = "SearchAgents, another max_cost";
  const wanted = ceilings(SEARCHED, CEILING);
  const requests = wanted.map((one) =>
    create(SearchAgentsRequestSchema, { filter: filterOf(one), pageSize: PAGE }),
  );
  return {
    subject,
    method: "SearchAgents",
    isVaried: true,
    messages: requests.map((request) => toBinary(SearchAgentsRequestSchema, request)),
    async check(caller, census) {
      const bytes = requests.slice(0, CHECKED).map(async (request, nth) => {
        const answer = await caller.searchAgents(request);
        refuse(subject, pageFault(answer, wanted[nth] as Wanted, census));
        return toBinary(SearchAgentsResponseSchema, answer).length;
      });
      return meanOf(await Promise.all(bytes));
    },
  };
}

function refusals(): Target {
  const subject = "SelectAgent, refused";
  const wanted = ceilings(PICKED, { least: 1, most: Number(PRICE_STEP_MICROS) - 1 });
  const requests = wanted.map((one, nth) => selection(one, Math.floor(nth / PICKED.length)));
  return {
    subject,
    method: "SelectAgent",
    isVaried: true,
    code: "not_found",
    messages: requests.map((request) => toBinary(SelectAgentRequestSchema, request)),
    async check(caller) {
      const asked = requests.slice(0, CHECKED).map(async (request) => {
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
      await Promise.all(asked);
      return 0;
    },
  };
}

function selection(wanted: Wanted, nth: number) {
  const strategy = STRATEGIES[nth % STRATEGIES.length] ?? SelectionStrategy.RANDOM;
  return create(SelectAgentRequestSchema, { filter: filterOf(wanted), strategy });
}

/** Filters in turns, with a ceiling between these each. */
function ceilings(
  filters: readonly Wanted[],
  { least, most }: { readonly least: number; readonly most: number },
): readonly Wanted[] {
  const chance: Chance = chanceOf(least);
  return Array.from({ length: MESSAGES }, (_, nth) => ({
    ...(filters[nth % filters.length] as Wanted),
    ceilingMicros: BigInt(least + chance.below(most - least + 1)),
  }));
}
