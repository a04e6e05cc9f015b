import type { ScoredBid, Terms } from "./bid.ts";
import { type PolicyName, type Score, score } from "./policy.ts";
import { compare } from "./ratio.ts";

/** A bid with its score and its place, 1 for the winner; further fields of the bid are kept. */
export type RankedBid<Bid extends ScoredBid = ScoredBid> = Bid & Score & { readonly place: number };

/**
 * All bids, best first: by score, then price, then sequence, then bid id. The order is total, does
 * not depend on the order of the input, and the order of two bids does not depend on a third.
 */
export function rank<Bid extends ScoredBid>(
  policy: PolicyName,
  terms: Terms,
  bids: readonly Bid[],
): RankedBid<Bid>[] {
  return bids
    .map((bid) => ({ ...bid, ...score(policy, terms, bid) }))
    .sort(compareBids)
    .map((bid, index) => ({ ...bid, place: index + 1 }));
}

/** Negative when `a` goes before `b`; 0 only for the same bid. */
export function compareBids(a: Comparable, b: Comparable): number {
  return (
    compare(a.scoreMicros, b.scoreMicros) ||
    compare(a.priceMicros, b.priceMicros) ||
    compare(a.sequence, b.sequence) ||
    compare(a.bidId, b.bidId)
  );
}

/** The fields that decide the order of bids. */
export type Comparable = Pick<ScoredBid, "bidId" | "sequence" | "priceMicros"> &
  Pick<Score, "scoreMicros">;
