import type { Terms } from "./bid.ts";
import { exactScore, type PolicyName, score, valueMicros } from "./policy.ts";
import type { RankedBid } from "./ranking.ts";
import { within } from "./ratio.ts";

/** How the winner's pay follows from the bids. */
export type PaymentRule = "PAY_AS_BID" | "SECOND_SCORE" | "CONTINGENT";

/**
 * What the first of `ranked` is paid for success.
 *
 * PAY_AS_BID: its own price. SECOND_SCORE: the highest price at which its score, unrounded, would
 * not exceed the runner-up's, at most the max cost; a lone bid is paid the max cost, which is the
 * buyer's reserve, so that what a bid is paid never depends on its own price. Under POSTED_PRICE
 * both pay the bid's price, which is the posted one.
 *
 * The answer is never below the winner's own price nor above the max cost. Throws RangeError when
 * there is no bid or the winner's price lies above the max cost.
 */
export function price(
  rule: Exclude<PaymentRule, "CONTINGENT">,
  policy: PolicyName,
  terms: Terms,
  ranked: readonly RankedBid[],
): bigint {
  const [winner, runnerUp] = ranked;
  if (winner === undefined) throw new RangeError("there is no bid to pay");
  within("priceMicros", winner.priceMicros, 0n, terms.maxCostMicros);
  if (rule === "PAY_AS_BID" || policy === "POSTED_PRICE") return winner.priceMicros;
  if (runnerUp === undefined) return terms.maxCostMicros;
  const limit = exactScore(policy, terms, runnerUp);
  return highestPrice(winner.priceMicros, terms.maxCostMicros, (priceMicros) => {
    const own = exactScore(policy, terms, { ...winner, priceMicros });
    return own.numerator * limit.denominator <= limit.numerator * own.denominator;
  });
}

/** What the winner receives when it succeeds and when it fails; negative: it pays. */
export interface ContingentPayment {
  readonly onSuccessMicros: bigint;
  readonly onFailureMicros: bigint;
}

/**
 * CONTINGENT pay: V - W2 on success and -W2 on failure, where V is what success is worth to the
 * buyer and W2 the surplus that the second best bid promised, 0 when there is none or it promised
 * a loss. `ranked` is in the order of VALUE. Telling one's true price and probability is then the
 * best a bidder can do, since a failure costs it what the others would have brought.
 */
export function contingentPayment(terms: Terms, ranked: readonly RankedBid[]): ContingentPayment {
  const [winner, runnerUp] = ranked;
  if (winner === undefined) throw new RangeError("there is no bid to pay");
  const promised = runnerUp === undefined ? 0n : -score("VALUE", terms, runnerUp).scoreMicros;
  const second = promised > 0n ? promised : 0n;
  return { onSuccessMicros: valueMicros(terms) - second, onFailureMicros: -second };
}

/** Bisects, since scores rise with the price, so that no policy needs its formula written twice. */
function highestPrice(low: bigint, high: bigint, wins: (price: bigint) => boolean): bigint {
  let known = low;
  let limit = high;
  while (known < limit) {
    const middle = (known + limit + 1n) / 2n;
    if (wins(middle)) known = middle;
    else limit = middle - 1n;
  }
  return known;
}
