import type { Filter } from "./filter.ts";
import { type Listing, STATE_RANK } from "./listing.ts";
import { type Market, sift } from "./market.ts";
import { reliabilityPpm } from "./reliability.ts";
import { type Rotation, ringFrom } from "./rotation.ts";
import { noEligibleAgents } from "./selection.ts";
import { smallest } from "./smallest.ts";

/** Asks for the best few agents for a capability. */
export interface Recommendation {
  readonly capability: string;
  readonly count: number;
  /** Name BUSY agents too, after the ONLINE ones. */
  readonly includeBusy: boolean;
}

/** What recommending needs. */
export interface RecommendationParts {
  readonly market: Market;
  readonly rotation: Rotation;
}

/**
 * Names the best few by reliability. Those that are equally reliable take turns: each call goes on where the one before
 * stopped among them.
 * @throws Rejection NO_ELIGIBLE_AGENTS with the counts of who was kept out by what
 */
export async function recommend(
  { market, rotation }: RecommendationParts,
  { capability, count, includeBusy }: Recommendation,
): Promise<readonly Listing[]> {
  const filter: Filter = {
    capabilities: [capability],
    match: "ALL",
    maxCost: undefined,
    states: includeBusy ? ["ONLINE", "BUSY"] : ["ONLINE"],
    minReliabilityPpm: undefined,
    maxLatencyMs: undefined,
    labels: {},
  };
  const { eligible, counts } = sift(market, filter);
  if (eligible.length === 0) throw noEligibleAgents(counts);

  const named: Listing[] = [];
  for (const rank of ranks(eligible, filter)) {
    const wanted = count - named.length;
    if (wanted <= 0) break;
    named.push(...(await inTurn(rotation, rank, wanted)));
  }
  return named;
}

/** Agents that are equally good. */
interface Rank {
  readonly key: string;
  readonly listings: readonly Listing[];
}

function ranks(eligible: readonly Listing[], filter: Filter): readonly Rank[] {
  const groups = new Map<string, { state: number; sure: number; listings: Listing[] }>();
  for (const listing of eligible) {
    const state = STATE_RANK[listing.state];
    const sure = reliabilityPpm(listing, filter);
    const group = groups.get(`${state}/${sure}`);
    if (group === undefined) groups.set(`${state}/${sure}`, { state, sure, listings: [listing] });
    else group.listings.push(listing);
  }
  return [...groups]
    .sort(([, a], [, b]) => a.state - b.state || b.sure - a.sure)
    .map(([key, { listings }]) => ({
      key: JSON.stringify(["recommend", filter.capabilities, key]),
      listings,
    }));
}

async function inTurn(rotation: Rotation, rank: Rank, wanted: number): Promise<readonly Listing[]> {
  const { key, listings } = rank;
  if (listings.length === 1) return listings;
  let named: readonly Listing[] = [];
  await rotation.turn(key, (cursor) => {
    named = smallest(listings, wanted, ringFrom(cursor ?? ""));
    // When all are named the next call begins one further on, else after the last one named.
    const last = named.length < listings.length ? named.at(-1) : named[0];
    return (last as Listing).agentId;
  });
  return named;
}
