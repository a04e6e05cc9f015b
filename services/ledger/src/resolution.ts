import { type Account, outOfRange } from "./account.ts";
import { answered, type Books, type Changes, type Decision, refused, type Stamp } from "./books.ts";
import { callerName } from "./caller.ts";
import type { ResolveCommand } from "./command.ts";
import { withOwed } from "./debt.ts";
import { resolveHold } from "./escrow.ts";
import { type Rule, verdictOf } from "./ruling.ts";
import { invalidState, notFound, type Ruling, type Transaction } from "./transaction.ts";

/** Who rules when a rule does. */
const BY_RULE = "ledger";

/** What each rule is told with. */
const REASONS: Readonly<Record<Rule, string>> = {
  NOT_DELIVERED: "Nothing was delivered in time.",
  SILENCE_ACCEPTS: "The payer said nothing of the delivery within the review window.",
  HOLD_EXPIRED: "The hold was over, and no review of the delivery was agreed.",
  EVIDENCE_SILENCE: "Only one side brought evidence in time.",
  WRONG_RESULT: "What was delivered is not what was agreed.",
  LATE: "The delivery was late; the time agreed is paid in part.",
  PANEL: "The named arbitrators agreed.",
  SPLIT: "Nobody ruled in time.",
};

/**
 * Rules on a dispute: the provider's share is of what is in dispute, which is the amount or, after
 * settlement, what was paid. Refuses, in this order: TRANSACTION_NOT_FOUND,
 * INVALID_TRANSACTION_STATE, BALANCE_OUT_OF_RANGE.
 */
export function resolveDispute(books: Books, command: ResolveCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  if (found.state !== "DISPUTED") return refused(invalidState(found, "rule on"));
  const { providerShareBps, reason, caller } = command;
  const ruledBy = callerName(caller);
  return conclude(
    books,
    found,
    { rule: "OPERATOR", providerShareBps, reason, ruledBy, ruledAt: stamp.now },
    stamp,
  );
}

/**
 * Ends a transaction for which a rule is due at the time of the stamp; undefined when none is, or
 * when it cannot be ended now because a balance would go out of range.
 */
export function endWhenDue(books: Books, id: string, stamp: Stamp): Changes | undefined {
  const found = books.transaction(id);
  const dueAt = found && dueOf(found);
  if (found === undefined || dueAt === undefined || dueAt > stamp.now) return undefined;
  const verdict = verdictOf(found, stamp.now);
  if (verdict.kind === "wait") return undefined;
  const { rule, providerShareBps } = verdict;
  const { answer, changes } = conclude(
    books,
    found,
    { rule, providerShareBps, reason: REASONS[rule], ruledBy: BY_RULE, ruledAt: stamp.now },
    stamp,
  );
  return answer.kind === "refused" ? undefined : changes;
}

/** When a rule ends a transaction; undefined when it is over. */
export function dueOf({ state, hold, dispute }: Transaction): Date | undefined {
  if (state === "PENDING") return hold?.dueAt;
  return state === "DISPUTED" ? dispute?.dueAt : undefined;
}

function conclude(books: Books, found: Transaction, ruling: Ruling, stamp: Stamp): Decision {
  const { dispute } = found;
  const wasSettled = dispute?.wasSettled === true;
  const inDispute = wasSettled ? found.settled : found.amount.micros;
  const share = shareOf(inDispute, ruling.providerShareBps);
  const back = inDispute - share;
  const frozen = found.hold?.amount ?? 0n;
  // The hold of a pending one is at the payer and pays the share; of a settled one it is at the
  // provider and pays back.
  const pay = wasSettled ? least(back, frozen) : share;
  // Only what was frozen at a provider who had nothing left is without a hold.
  const resolved =
    found.hold === undefined
      ? { accounts: [], movements: [] }
      : resolveHold(books, found, pay, stamp);
  const beyond = outOfRange(resolved.accounts);
  if (beyond !== undefined) return refused(beyond);
  const owed = wasSettled ? back - pay : 0n;
  const transaction: Transaction = {
    ...found,
    state: share > 0n ? "SETTLED" : "CANCELLED",
    settled: share,
    owed,
    hold: undefined,
    dispute: dispute && { ...dispute, dueAt: undefined, ruling },
    endRule: dispute === undefined && ruling.rule !== "OPERATOR" ? ruling.rule : found.endRule,
    updatedAt: stamp.now,
    settledAt: found.settledAt ?? (share > 0n ? stamp.now : undefined),
  };
  const kind =
    dispute !== undefined
      ? "dispute_resolved"
      : share > 0n
        ? "transaction_settled"
        : "transaction_cancelled";
  const accounts: readonly Account[] = withOwed(books, found, owed - found.owed, resolved.accounts);
  return answered(transaction, {
    ...resolved,
    accounts,
    transactions: [transaction],
    happenings: [{ kind, transaction }],
  });
}

/** A share in basis points of `micros`, rounded to the nearest micro; half a micro is not given. */
export function shareOf(micros: bigint, bps: number): bigint {
  return (micros * BigInt(bps) + 4_999n) / 10_000n;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
