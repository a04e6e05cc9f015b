import type { Rejection } from "@bourse/rpc/rejection";
import { refuse } from "./refusal.ts";

/** An exact amount: millionths of the currency's unit. */
export interface Money {
  readonly micros: bigint;
  readonly currency: string;
}

/** The money of one owner in one currency; `posted` and `held` are micros. */
export interface Account {
  /** Given by the database; movements name accounts by it. */
  readonly id: bigint;
  readonly owner: string;
  readonly currency: string;
  /** What came in less what went out. */
  readonly posted: bigint;
  /** Of that, what open holds have promised to others; never negative. */
  readonly held: bigint;
  /** How far below zero the owner may go, holds counted. */
  readonly creditLimit: bigint;
  readonly createdAt: Date;
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

/**
 * What the owner can spend now, in micros; negative when the limit was lowered below what is in
 * use.
 */
export function available(account: Account): bigint {
  return account.posted - account.held + account.creditLimit;
}

/**
 * What is the owner's own and not promised: what can be withdrawn or frozen, in micros. Negative
 * when on credit.
 */
export function uncommitted(account: Account): bigint {
  return account.posted - account.held;
}

/** The account with `posted` and `held` changed by so many micros. */
export function shift(account: Account, posted: bigint, held: bigint): Account {
  return { ...account, posted: account.posted + posted, held: account.held + held };
}

/**
 * The refusal of a change that would take a balance, or a balance less its holds, out of range;
 * else undefined.
 */
export function outOfRange(accounts: readonly Account[]): Rejection | undefined {
  const beyond = accounts.find(
    (account) => !inRange(account.posted) || !inRange(uncommitted(account)),
  );
  if (beyond === undefined) return undefined;
  return refuse("BALANCE_OUT_OF_RANGE", `the balance of ${beyond.owner} would leave its range`, {
    metadata: { owner: beyond.owner, currency: beyond.currency },
  });
}

function inRange(micros: bigint): boolean {
  return micros >= -BALANCE_MAX && micros <= BALANCE_MAX;
}
