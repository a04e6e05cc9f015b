import {
  type Account,
  credited,
  debited,
  HoldsUnread,
  outOfRange,
  uncommitted,
} from "./account.ts";
import { type Books, type Draft, MissingRow, present, type Stamp } from "./books.ts";
import { holdMovement, partiesOf, promise, resolveHold } from "./escrow.ts";
import type { Movement } from "./movement.ts";
import type { OpenHold, Transaction } from "./transaction.ts";

/**
 * Thrown where an account pays debts that the books were read without: they have to be read again
 * with its first debts, so many that they come to `reach` micros.
 */
export class DebtsUnread extends Error {
  override readonly name = "DebtsUnread";
  /** The account. */
  readonly debtor: bigint;
  readonly reach: bigint;

  constructor(debtor: bigint, reach: bigint) {
    super(`the debts of account ${debtor} were not read, or too few of them`);
    this.debtor = debtor;
    this.reach = reach;
  }
}

/** Whether a decision was given up because it needs more of the books than was read. */
export function isUnread(error: unknown): boolean {
  return [MissingRow, DebtsUnread, HoldsUnread].some((kind) => error instanceof kind);
}

/**
 * Takes what accounts owe from what they have, debt by debt in order, for as long as there is
 * something of their own: never credit, and never what is promised. While a dispute lasts it is
 * added to what is frozen; after the ruling it is paid to the payer, who may owe something in turn.
 * @throws DebtsUnread
 */
export function collectDebts(draft: Draft, stamp: Stamp): void {
  const debtors = [...draft.changed.accounts().values()].filter(canPay).map(({ id }) => id);
  for (const id of debtors) {
    const { ids, through } = draft.debts(id);
    for (const transactionId of ids) {
      const debtor = present(draft.accountById(id));
      if (!canPay(debtor)) break;
      const transaction = present(draft.transaction(transactionId));
      if (transaction.owed === 0n) continue;
      const creditor = pay(draft, transaction, debtor, stamp);
      if (creditor !== undefined && canPay(creditor)) debtors.push(creditor.id);
    }
    const after = present(draft.accountById(id));
    if (through !== undefined && canPay(after)) throw new DebtsUnread(id, uncommitted(after));
  }
}

/** Whether an account owes and has something of its own to pay it from. */
export function canPay(account: Account): boolean {
  return account.owed > 0n && uncommitted(account) > 0n;
}

/** Answers with the account that received something, or undefined. */
function pay(
  draft: Draft,
  transaction: Transaction,
  debtor: Account,
  stamp: Stamp,
): Account | undefined {
  const creditor = present(partiesOf(draft, transaction).payer);
  // It can receive nothing: the debt stands until it is opened again.
  if (creditor.status === "CLOSED") return undefined;
  const amount = least(uncommitted(debtor), transaction.owed);
  if (transaction.state === "DISPUTED") {
    freezeMore(draft, transaction, amount, stamp);
    return undefined;
  }
  const after = credited(creditor, amount);
  if (outOfRange([after]) !== undefined) return undefined;
  draft.apply({
    accounts: [{ ...debited(debtor, amount), owed: debtor.owed - amount }, after],
    transactions: [{ ...transaction, owed: transaction.owed - amount }],
    movements: [repayment(transaction.id, debtor.id, creditor.id, amount, stamp)],
  });
  return after;
}

/** A hold is resolved once and as a whole, so a larger one takes the place of the one there is. */
function freezeMore(draft: Draft, transaction: Transaction, amount: bigint, stamp: Stamp): void {
  const { hold: before } = transaction;
  const released = before && resolveHold(draft, transaction, 0n, stamp);
  if (released !== undefined) draft.apply(released);
  const { payer, provider } = partiesOf(draft, transaction);
  const [debtor, creditor] = [present(provider), present(payer)];
  const hold: OpenHold = {
    id: stamp.newId(),
    account: debtor.id,
    amount: (before?.amount ?? 0n) + amount,
    dueAt: undefined,
  };
  const transactionAfter = { ...transaction, hold, owed: transaction.owed - amount };
  draft.apply({
    accounts: withOwed(draft, transaction, -amount, promise(debtor, creditor, hold.amount)),
    transactions: [transactionAfter],
    movements: [holdMovement(hold, creditor.id, transaction.id, stamp)],
  });
}

function repayment(
  transactionId: string,
  debit: bigint,
  credit: bigint,
  amount: bigint,
  stamp: Stamp,
): Movement {
  return {
    id: stamp.newId(),
    kind: "TRANSFER",
    debit,
    credit,
    amount,
    transactionId,
    transfer: undefined,
    holdId: undefined,
    createdAt: stamp.now,
  };
}

/**
 * The accounts that a transaction changes, after its provider has come to owe so many micros more,
 * or fewer, by it.
 */
export function withOwed(
  books: Books,
  transaction: Transaction,
  more: bigint,
  accounts: readonly Account[],
): readonly Account[] {
  if (more === 0n) return accounts;
  const { id } = present(partiesOf(books, transaction).provider);
  const debtor = accounts.find((account) => account.id === id) ?? present(books.accountById(id));
  const others = accounts.filter((account) => account.id !== id);
  return [...others, { ...debtor, owed: debtor.owed + more }];
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
