import { formatMoney } from "@bourse/scoring";
import type { Filter } from "./filter.ts";
import type { Listing } from "./listing.ts";
import { type Circumstances, preferences } from "./preference.ts";
import { reliabilityPpm } from "./reliability.ts";
import { type Rotation, ringFrom } from "./rotation.ts";
import { smallest } from "./smallest.ts";

/** A way to pick one of many. */
export type Strategy = "ROUND_ROBIN" | "LEAST_LOADED" | "RANDOM" | "CHEAPEST" | "BEST";

/** What a strategy chooses from; there is at least one eligible agent. */
export interface Choosing extends Circumstances {
  /** How many to name, the chosen one included; at least 1. */
  readonly count: number;
  readonly rotation: Rotation;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** The chosen one, others in the order to try them, and why. */
export interface Choice {
  readonly chosen: Listing;
  readonly alternates: readonly Listing[];
  readonly reason: string;
}

/** Chooses by a strategy. */
export async function choose(strategy: Strategy, choosing: Choosing): Promise<Choice> {
  switch (strategy) {
    case "ROUND_ROBIN":
      return nextInTurn(choosing);
    case "RANDOM":
      return anyOf(choosing);
    case "LEAST_LOADED":
    case "CHEAPEST":
    case "BEST":
      return preferred(strategy, choosing);
  }
}

async function nextInTurn({
  eligible,
  filter,
  count,
  rotation,
  random,
}: Choosing): Promise<Choice> {
  const turn = await rotation.turn(rotationKey(filter), (cursor) => {
    // Begun anywhere: else many filters, each used once, would all pick the first agent by id.
    if (cursor === undefined) return anyAgent(eligible, random).agentId;
    return (smallest(eligible, 1, ringFrom(cursor))[0] as Listing).agentId;
  });
  const chosen = eligible.find(({ agentId }) => agentId === turn.cursor) as Listing;
  const others = eligible.filter((listing) => listing !== chosen);
  return {
    chosen,
    alternates: smallest(others, count - 1, ringFrom(turn.cursor)),
    reason: `ROUND_ROBIN: next in turn ${among(eligible)}${turn.alone ? ALONE : ""}`,
  };
}

const ALONE = "; Redis is away, so this replica counts its turns alone";

function anyOf({ eligible, count, random }: Choosing): Choice {
  const drawn = [...eligible];
  const wanted = Math.min(count, drawn.length);
  for (let index = 0; index < wanted; index += 1) {
    const other = index + Math.floor(random() * (drawn.length - index));
    [drawn[index], drawn[other]] = [drawn[other] as Listing, drawn[index] as Listing];
  }
  const [chosen, ...alternates] = drawn.slice(0, wanted);
  return {
    chosen: chosen as Listing,
    alternates,
    reason: `RANDOM: one ${among(eligible)}, each as likely`,
  };
}

function preferred(strategy: "LEAST_LOADED" | "CHEAPEST" | "BEST", choosing: Choosing): Choice {
  const { eligible, filter, picks, nowMs, count } = choosing;
  const { leastLoaded, cheapest, best, currency, loadOf } = preferences(choosing);
  const order = { LEAST_LOADED: leastLoaded, CHEAPEST: cheapest, BEST: best }[strategy];
  const [first, ...alternates] = smallest(eligible, count, order);
  const chosen = first as Listing;
  const words = {
    LEAST_LOADED: () => {
      const recent = picks.count(chosen.agentId, nowMs);
      return `least loaded ${among(eligible)}: ${loadOf(chosen)} in flight, ${recent} recent picks`;
    },
    CHEAPEST: () => `cheapest ${among(eligible)}: ${priceWords(chosen, currency)}`,
    BEST: () => {
      const sure = (reliabilityPpm(chosen, filter) / 10_000).toFixed(1);
      return `most reliable ${among(eligible)}: at least ${sure}% of its tasks succeed`;
    },
  }[strategy]();
  return { chosen, alternates, reason: `${strategy}: ${words}` };
}

/** The rotation of a filter: each filter goes round by itself, so that each is exact. */
function rotationKey(filter: Filter): string {
  return JSON.stringify(["select", filter], (_name, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

function anyAgent(eligible: readonly Listing[], random: () => number): Listing {
  return eligible[Math.floor(random() * eligible.length)] as Listing;
}

function among({ length }: readonly Listing[]): string {
  return `of ${length} eligible ${length === 1 ? "agent" : "agents"}`;
}

function priceWords({ price }: Listing, currency: string | undefined): string {
  if (price === undefined || price.currency !== currency) return "none has a list price";
  return `${formatMoney(price.micros, price.currency)} per task`;
}
