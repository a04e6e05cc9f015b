import { type Account, outOfRange, uncommitted } from "./account.ts";
import {
  answered,
  type Books,
  type Changes,
  type Decision,
  present,
  refused,
  type Stamp,
} from "./books.ts";
import { callerName } from "./caller.ts";
import type { DisputeCommand, ResolveCommand } from "./command.ts";
import { holdMovement, partiesOf, promise, resolveHold } from "./escrow.ts";
import { refuse } from "./refusal.ts";
import {
  type ArbitrationTerms,
  type Dispute,
  type Evidence,
  invalidState,
  notFound,
  type OpenHold,
  type Transaction,
  trespass,
} from "./transaction.ts";

/** The most pieces of evidence of one transaction. */
export const EVIDENCE_MAX = 100;

const DAY_MS = 24 * 3_600_000;

/** How long the payer may stay silent after delivery when the terms do not say. */
export const DEFAULT_REVIEW_MS = 3 * DAY_MS;

/** What holds for a dispute whose parties agreed on nothing: three days, and then a week. */
export const DEFAULT_ARBITRATION: ArbitrationTerms = {
  arbitrators: [],
  quorum: 0,
  evidenceMs: 3 * DAY_MS,
  rulingMs: 7 * DAY_MS,
};

/**
 * Freezes a transaction and adds evidence; a piece that the same caller brought before is not added
 * again. Refuses, in this order: TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY,
 * INVALID_TRANSACTION_STATE (cancelled), DISPUTE_ALREADY_DECIDED, TOO_MUCH_EVIDENCE.
 */
export function flagDispute(books: Books, command: DisputeCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "dispute");
  if (trespassed !== undefined) return refused(trespassed);
  if (found.state === "CANCELLED") return refused(invalidState(found, "dispute"));
  const { dispute } = found;
  if (dispute?.ruling !== undefined) {
    const message = `the dispute of transaction ${found.id} was decided`;
    const metadata = { providerShareBps: String(dispute.ruling.providerShareBps) };
    return refused(refuse("DISPUTE_ALREADY_DECIDED", message, { metadata }));
  }
  const there = dispute?.evidence ?? [];
  const evidence = withEvidence(there, command, stamp.now);
  if (evidence.length > EVIDENCE_MAX) {
    const message = `a transaction takes ${EVIDENCE_MAX} pieces of evidence`;
    const metadata = { most: String(EVIDENCE_MAX), there: String(there.length) };
    return refused(refuse("TOO_MUCH_EVIDENCE", message, { metadata }));
  }
  if (dispute !== undefined) {
    if (evidence.length === there.length) return answered(found);
    const transaction = { ...found, dispute: { ...dispute, evidence } };
    return answered(transaction, { transactions: [transaction] });
  }
  const contested: Transaction = {
    ...found,
    state: "DISPUTED",
    dispute: openDispute(found, command, evidence, stamp.now),
    updatedAt: stamp.now,
  };
  const { transaction, ...changes } =
    found.state === "SETTLED" ? freeze(books, contested, stamp) : stopClock(contested);
  return answered(transaction, {
    ...changes,
    transactions: [transaction],
    happenings: [{ kind: "transaction_disputed", transaction }],
  });
}

function openDispute(
  { state, arbitration }: Transaction,
  { caller }: DisputeCommand,
  evidence: readonly Evidence[],
  flaggedAt: Date,
): Dispute {
  const { evidenceMs, rulingMs } = arbitration ?? DEFAULT_ARBITRATION;
  const evidenceDue = new Date(flaggedAt.getTime() + evidenceMs);
  const rulingDue = new Date(evidenceDue.getTime() + rulingMs);
  return {
    flaggedBy: callerName(caller),
    flaggedAt,
    evidenceDue,
    rulingDue,
    dueAt: evidenceDue,
    wasSettled: state === "SETTLED",
    evidence,
    votes: [],
    ruling: undefined,
  };
}

/** While a dispute lasts, no rule ends the hold. */
function stopClock(disputed: Transaction): { readonly transaction: Transaction } {
  const hold = { ...present(disputed.hold), dueAt: undefined };
  return { transaction: { ...disputed, hold } };
}

/**
 * Holds at the provider what it was paid, as far as that is there: never more than its own
 * uncommitted money.
 */
function freeze(
  books: Books,
  settled: Transaction,
  stamp: Stamp,
): Changes & { readonly transaction: Transaction } {
  const { payer, provider } = partiesOf(books, settled);
  const holder = present(provider);
  const amount = least(uncommitted(holder), settled.settled);
  if (amount <= 0n) return { transaction: settled };
  const payee = present(payer);
  const hold: OpenHold = { id: stamp.newId(), account: holder.id, amount, dueAt: undefined };
  return {
    transaction: { ...settled, hold },
    accounts: promise(holder, payee, amount),
    movements: [holdMovement(hold, payee.id, settled.id, stamp)],
  };
}

function withEvidence(
  there: readonly Evidence[],
  command: DisputeCommand,
  submittedAt: Date,
): readonly Evidence[] {
  const submitter = callerName(command.caller);
  const all = [...there];
  for (const { note, reference, sha256 } of command.evidence) {
    const again = all.some(
      (other) =>
        other.submitter === submitter &&
        other.note === note &&
        other.reference === reference &&
        other.sha256 === sha256,
    );
    if (!again) all.push({ submitter, note, reference, sha256, submittedAt });
  }
  return all;
}

/**
 * Rules on a dispute: the provider's share is of what is in dispute, which is the amount or, after
 * settlement, what was paid. Refuses, in this order: TRANSACTION_NOT_FOUND,
 * INVALID_TRANSACTION_STATE, BALANCE_OUT_OF_RANGE.
 */
export function resolveDispute(books: Books, command: ResolveCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const { dispute } = found;
  if (found.state !== "DISPUTED" || dispute === undefined) {
    return refused(invalidState(found, "rule on"));
  }
  const { wasSettled } = dispute;
  const inDispute = wasSettled ? found.settled : found.amount.micros;
  const share = shareOf(inDispute, command.providerShareBps);
  const back = inDispute - share;
  const frozen = found.hold?.amount ?? 0n;
  // The hold of a pending one is at the payer and pays the share; of a settled one it is at the
  // provider and pays back.
  const pay = wasSettled ? least(back, frozen) : share;
  // Only what was frozen at a provider who had nothing left is without a hold.
  const bare = wasSettled && found.hold === undefined;
  const resolved = bare ? undefined : resolveHold(books, found, pay, stamp);
  const beyond = outOfRange(resolved?.accounts ?? []);
  if (beyond !== undefined) return refused(beyond);
  const owed = wasSettled ? back - pay : 0n;
  const accounts = withDebt(books, found, resolved?.accounts ?? [], owed);
  const transaction: Transaction = {
    ...found,
    state: share > 0n ? "SETTLED" : "CANCELLED",
    settled: share,
    owed,
    hold: undefined,
    dispute: {
      ...dispute,
      dueAt: undefined,
      ruling: {
        rule: "OPERATOR",
        providerShareBps: command.providerShareBps,
        reason: command.reason,
        ruledBy: callerName(command.caller),
        ruledAt: stamp.now,
      },
    },
    updatedAt: stamp.now,
    settledAt: found.settledAt ?? (share > 0n ? stamp.now : undefined),
  };
  return answered(transaction, {
    ...resolved,
    accounts,
    transactions: [transaction],
    happenings: [{ kind: "dispute_resolved", transaction }],
  });
}

/** The accounts of a ruling after the provider has come to owe so many micros by it. */
function withDebt(
  books: Books,
  transaction: Transaction,
  moved: readonly Account[],
  owed: bigint,
): readonly Account[] {
  if (owed === 0n) return moved;
  const { id } = present(partiesOf(books, transaction).provider);
  const debtor = moved.find((account) => account.id === id) ?? present(books.accountById(id));
  const others = moved.filter((account) => account.id !== id);
  return [...others, { ...debtor, owed: debtor.owed + owed }];
}

/** A share in basis points of `micros`, rounded to the nearest micro; half a micro is not given. */
export function shareOf(micros: bigint, bps: number): bigint {
  return (micros * BigInt(bps) + 4_999n) / 10_000n;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
