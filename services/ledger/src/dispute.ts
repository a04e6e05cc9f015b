import { outOfRange, shift, uncommitted } from "./account.ts";
import { answered, type Books, type Changes, type Decision, refused, type Stamp } from "./books.ts";
import { callerName } from "./caller.ts";
import type { DisputeCommand, ResolveCommand } from "./command.ts";
import { holdMovement, partiesOf, present, resolveHold } from "./escrow.ts";
import { refuse } from "./refusal.ts";
import {
  type Evidence,
  invalidState,
  notFound,
  type OpenHold,
  type Transaction,
  trespass,
} from "./transaction.ts";

/** The most pieces of evidence of one transaction. */
export const EVIDENCE_MAX = 100;

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
  if (found.ruling !== undefined) {
    const message = `the dispute of transaction ${found.id} was decided`;
    const metadata = { providerShareBps: String(found.ruling.providerShareBps) };
    return refused(refuse("DISPUTE_ALREADY_DECIDED", message, { metadata }));
  }
  const evidence = withEvidence(found.evidence, command, stamp.now);
  if (evidence.length > EVIDENCE_MAX) {
    const message = `a transaction takes ${EVIDENCE_MAX} pieces of evidence`;
    const metadata = { most: String(EVIDENCE_MAX), there: String(found.evidence.length) };
    return refused(refuse("TOO_MUCH_EVIDENCE", message, { metadata }));
  }
  if (found.state === "DISPUTED") {
    if (evidence.length === found.evidence.length) return answered(found);
    const transaction = { ...found, evidence };
    return answered(transaction, { transaction });
  }
  const disputed: Transaction = { ...found, state: "DISPUTED", evidence, updatedAt: stamp.now };
  const { transaction, ...changes } =
    found.state === "SETTLED" ? freeze(books, disputed, stamp) : { transaction: disputed };
  const happening = { kind: "transaction_disputed", transaction } as const;
  return answered(transaction, { ...changes, transaction, happening });
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
  const hold: OpenHold = { id: stamp.newId(), account: holder.id, amount };
  return {
    transaction: { ...settled, hold },
    accounts: [shift(holder, 0n, amount)],
    movements: [holdMovement(hold, present(payer).id, settled.id, stamp)],
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
  if (found.state !== "DISPUTED") return refused(invalidState(found, "rule on"));
  const wasSettled = found.settledAt !== undefined;
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
  const transaction: Transaction = {
    ...found,
    state: share > 0n ? "SETTLED" : "CANCELLED",
    settled: share,
    owed: wasSettled ? back - pay : 0n,
    hold: undefined,
    ruling: {
      providerShareBps: command.providerShareBps,
      reason: command.reason,
      ruledBy: callerName(command.caller),
      ruledAt: stamp.now,
    },
    updatedAt: stamp.now,
    settledAt: found.settledAt ?? (share > 0n ? stamp.now : undefined),
  };
  const happening = { kind: "dispute_resolved", transaction } as const;
  return answered(transaction, { ...resolved, transaction, happening });
}

/** A share in basis points of `micros`, rounded to the nearest micro; half a micro is not given. */
export function shareOf(micros: bigint, bps: number): bigint {
  return (micros * BigInt(bps) + 4_999n) / 10_000n;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
