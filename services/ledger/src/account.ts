import type { Rejection } from "@bourse/rpc/rejection";
import { refuse } from "./refusal.ts";

/** An exact amount: millionths of the currency's unit. */
export interface Money {
  readonly micros: bigint;
  readonly currency: string;
}

/** Whether an account may be used. FROZEN still receives; CLOSED does nothing. */
export type AccountStatus = "OPEN" | "FROZEN" | "CLOSED";

/** The money of one owner in one currency; all amounts are micros and none is negative. */
export interface Account {
  /** Given by the database; movements name accounts by it. */
  readonly id: bigint;
  readonly owner: string;
  readonly currency: string;
  /**
   * Whether debitsHeld and creditsHeld were added up from open holds; they are when this is absent. What is unread
   * stands in the place of debitsPosted: then that is all that went out or is promised, what is promised since and
   * what of it was paid or given back stands in debitsHeld, and only the two together tell something.
   */
  readonly holds?: "unread" | undefined;
  /** All that ever went out. */
  readonly debitsPosted: bigint;
  /** All that ever came in. */
  readonly creditsPosted: bigint;
  /** What open holds have promised to others. */
  readonly debitsHeld: bigint;
  /** What open holds of others have promised to the owner. */
  readonly creditsHeld: bigint;
  /** How far below zero the owner may go, holds counted. */
  readonly creditLimit: bigint;
  /** What the owner has to give back by rulings, taken first from what comes in. */
  readonly owed: bigint;
  readonly status: AccountStatus;
  readonly createdAt: Date;
}

/** Thrown where a decision goes by the open holds of accounts, which the books were read without. */
export class HoldsUnread extends Error {
  override readonly name = "HoldsUnread";
}

/** What names an account before it has an id. */
export interface AccountName {
  readonly owner: string;
  readonly currency: string;
}

/**
 * Where deposits come from and withdrawals go to. No limit: its balance is what the market owes,
 * negated.
 */
export const WORLD = "@world";

/** Where credits come from. No limit. */
export const ISSUER = "@issuer";

/**
 * The farthest a balance may go either way; with every limit and hold on top it still fits in 64
 * bits.
 */
export const BALANCE_MAX = 9_000_000_000_000_000_000n;

/** A text that two accounts share only when they are the same. */
export function accountKey({ owner, currency }: AccountName): string {
  return `${currency} ${owner}`;
}

/** What came in less what went out, in micros; negative when on credit. Needs open holds. */
export function balance({ creditsPosted, debitsPosted }: Account): bigint {
  return creditsPosted - debitsPosted;
}

/**
 * What the owner can spend now, in micros; negative when the limit was lowered below what is in
 * use.
 */
export function available(account: Account): bigint {
  return uncommitted(account) + account.creditLimit;
}

/**
 * What is the owner's own and not promised: what can be withdrawn or frozen, in micros. Negative
 * when on credit.
 */
export function uncommitted(account: Account): bigint {
  return account.creditsPosted - committed(account);
}

/** All that went out or is promised, in micros: what of the debits does not change when a hold is paid. */
export function committed({ debitsPosted, debitsHeld }: Account): bigint {
  return debitsPosted + debitsHeld;
}

/** The account after so many micros have left it. */
export function debited(account: Account, micros: bigint): Account {
  return { ...account, debitsPosted: account.debitsPosted + micros };
}

/** The account after so many micros have entered it. */
export function credited(account: Account, micros: bigint): Account {
  return { ...account, creditsPosted: account.creditsPosted + micros };
}

/**
 * Whether nothing is in the account, promised or owed, so that it can be closed.
 * @throws HoldsUnread
 */
export function isEmpty(account: Account): boolean {
  if (uncommitted(account) !== 0n || account.owed !== 0n) return false;
  if (account.holds === "unread") throw new HoldsUnread(`of ${account.owner}`);
  return account.debitsHeld === 0n && account.creditsHeld === 0n;
}

/**
 * The refusal of a change that would take a balance, or a balance less its holds, out of range;
 * else undefined.
 * @throws HoldsUnread
 */
export function outOfRange(accounts: readonly Account[]): Rejection | undefined {
  const beyond = accounts.find((account) => !isInRange(account));
  if (beyond === undefined) return undefined;
  return refuse("BALANCE_OUT_OF_RANGE", `the balance of ${beyond.owner} would leave its range`, {
    metadata: { owner: beyond.owner, currency: beyond.currency },
  });
}

/** A balance is no less than what of it is uncommitted, and no more than all that came in. */
function isInRange(account: Account): boolean {
  const own = uncommitted(account);
  if (own < -BALANCE_MAX || own > BALANCE_MAX) return false;
  if (account.creditsPosted <= BALANCE_MAX) return true;
  if (account.holds === "unread") throw new HoldsUnread(`of ${account.owner}`);
  return balance(account) <= BALANCE_MAX;
}
