import { refuse } from "./refusal.ts";

/** What an account of an agent that is to be erased still holds, in micros. */
export interface Remains {
  readonly currency: string;
  readonly balance: bigint;
  /** Promised from it or to it. */
  readonly held: bigint;
  /** What it owes. */
  readonly owed: bigint;
  /** What others owe it. */
  readonly claims: bigint;
}

/** A transaction that has not ended and needs the agent, as a party or as one who is to rule. */
export interface OpenTransaction {
  readonly id: string;
  readonly state: string;
}

/** Earned for work and no money: it cannot be paid out, so it stays, under the alias. */
const CREDITS = "CRD";

/**
 * Checks that nobody would lose money or a right when an agent is erased.
 * @throws Rejection ACCOUNT_NOT_EMPTY, AGENT_HAS_OPEN_TRANSACTIONS
 */
export function refuseRemains(remains: readonly Remains[], open: readonly OpenTransaction[]): void {
  const left = remains.find(({ currency, balance, held, owed, claims }) => {
    const money = currency === CREDITS ? 0n : balance;
    return money !== 0n || held !== 0n || owed !== 0n || claims !== 0n;
  });
  if (left !== undefined) {
    const metadata = {
      currency: left.currency,
      balance_micros: String(left.balance),
      held_micros: String(left.held),
      owed_micros: String(left.owed),
      claims_micros: String(left.claims),
    };
    const message = `the agent's account in ${left.currency} is not empty`;
    throw refuse("ACCOUNT_NOT_EMPTY", message, { metadata });
  }
  const [first] = open;
  if (first === undefined) return;
  const message = `transaction ${first.id} is ${first.state} and needs the agent`;
  throw refuse("AGENT_HAS_OPEN_TRANSACTIONS", message, {
    metadata: { transaction_id: first.id, state: first.state },
  });
}
