import type { Rejection } from "@bourse/rpc/rejection";
import { uncommitted } from "./account.ts";
import { unusableFor } from "./account-status.ts";
import {
  answered,
  type Books,
  type Changes,
  type Decision,
  type Happening,
  present,
  refused,
  type Stamp,
} from "./books.ts";
import { callerName } from "./caller.ts";
import type { DisputeCommand, EvidenceCommand, VoteCommand } from "./command.ts";
import { withOwed } from "./debt.ts";
import { withDueTime } from "./delivery.ts";
import { holdMovement, partiesOf, promise } from "./escrow.ts";
import { refuse } from "./refusal.ts";
import {
  type Dispute,
  type Evidence,
  invalidState,
  maySee,
  notFound,
  type OpenHold,
  type Transaction,
  trespass,
  type Vote,
} from "./transaction.ts";

/** The most pieces of evidence of one transaction. */
export const EVIDENCE_MAX = 100;

/**
 * Freezes a transaction and adds evidence, as addEvidence does when it is disputed already.
 * Refuses, in this order: TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY, INVALID_TRANSACTION_STATE
 * (cancelled), DISPUTE_ALREADY_DECIDED, DISPUTE_TOO_LATE, EVIDENCE_TOO_LATE, TOO_MUCH_EVIDENCE,
 * ACCOUNT_CLOSED.
 */
export function flagDispute(books: Books, command: DisputeCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "dispute");
  if (trespassed !== undefined) return refused(trespassed);
  if (found.state === "CANCELLED") return refused(invalidState(found, "dispute"));
  const ruling = found.dispute?.ruling;
  if (ruling !== undefined) {
    const message = `the dispute of transaction ${found.id} was decided`;
    const metadata = { providerShareBps: String(ruling.providerShareBps) };
    return refused(refuse("DISPUTE_ALREADY_DECIDED", message, { metadata }));
  }
  if (found.dispute !== undefined) return withEvidence(found, found.dispute, command, stamp);
  const late = tooLate(found, command, stamp.now);
  if (late !== undefined) return refused(late);
  const evidence = piecesOf(command, [], stamp.now);
  if (evidence.length > EVIDENCE_MAX) return refused(tooMuch([]));
  const { payer, provider } = partiesOf(books, found);
  const closed = unusableFor("receive", payer) ?? unusableFor("receive", provider);
  if (closed !== undefined) return refused(closed);
  return open(books, found, evidence, command, stamp);
}

/** What was paid has to be the provider's for good one day. Only an operator may go back further. */
function tooLate(
  { id, settledAt }: Transaction,
  { caller, windows }: DisputeCommand,
  now: Date,
): Rejection | undefined {
  if (settledAt === undefined || caller.kind === "operator") return undefined;
  const dueBy = new Date(settledAt.getTime() + windows.disputeMs);
  if (now < dueBy) return undefined;
  const message = `transaction ${id} could be disputed until ${dueBy.toISOString()}`;
  return refuse("DISPUTE_TOO_LATE", message, { metadata: { dueBy: dueBy.toISOString() } });
}

function open(
  books: Books,
  found: Transaction,
  evidence: readonly Evidence[],
  command: DisputeCommand,
  stamp: Stamp,
): Decision {
  const { evidenceMs, rulingMs } = found.arbitration ?? command.windows;
  const evidenceDue = new Date(stamp.now.getTime() + evidenceMs);
  const dispute: Dispute = {
    flaggedBy: callerName(command.caller),
    flaggedAt: stamp.now,
    evidenceDue,
    rulingDue: new Date(evidenceDue.getTime() + rulingMs),
    dueAt: evidenceDue,
    wasSettled: found.state === "SETTLED",
    amount: found.state === "SETTLED" ? found.settled : found.amount.micros,
    evidence,
    votes: [],
    ruling: undefined,
  };
  const contested: Transaction = { ...found, state: "DISPUTED", dispute, updatedAt: stamp.now };
  const { frozen, ...changes } = dispute.wasSettled
    ? freeze(books, contested, stamp)
    : { frozen: stopClock(contested) };
  const transaction = withDueTime(frozen);
  return answered(transaction, {
    ...changes,
    transactions: [transaction],
    happenings: [{ kind: "transaction_disputed", transaction }, ...told(transaction, 0)],
  });
}

/** While a dispute lasts, it says when a rule ends the transaction, and not the hold. */
function stopClock(disputed: Transaction): Transaction {
  return { ...disputed, hold: { ...present(disputed.hold), dueAt: undefined } };
}

/**
 * Holds at the provider what it was paid, as far as that is there: never more than its own
 * uncommitted money. What is missing it owes.
 */
function freeze(
  books: Books,
  settled: Transaction,
  stamp: Stamp,
): Changes & { readonly frozen: Transaction } {
  const parties = partiesOf(books, settled);
  const [holder, payee] = [present(parties.provider), present(parties.payer)];
  const own = uncommitted(holder) > 0n ? uncommitted(holder) : 0n;
  const amount = own < settled.settled ? own : settled.settled;
  const owed = settled.settled - amount;
  if (amount === 0n) {
    const accounts = withOwed(books, settled, owed, []);
    return { frozen: { ...settled, owed }, accounts };
  }
  const hold: OpenHold = { id: stamp.newId(), account: holder.id, amount, dueAt: undefined };
  return {
    frozen: { ...settled, hold, owed },
    accounts: withOwed(books, settled, owed, promise(holder, payee, amount)),
    movements: [holdMovement(hold, payee.id, settled.id, stamp)],
  };
}

/**
 * Adds evidence to a dispute; a piece that the same caller brought before is not added again.
 * Refuses, in this order: TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY, INVALID_TRANSACTION_STATE,
 * EVIDENCE_TOO_LATE, TOO_MUCH_EVIDENCE.
 */
export function addEvidence(books: Books, command: EvidenceCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "dispute");
  if (trespassed !== undefined) return refused(trespassed);
  const { dispute } = found;
  if (found.state !== "DISPUTED" || dispute === undefined) {
    return refused(invalidState(found, "bring evidence on"));
  }
  return withEvidence(found, dispute, command, stamp);
}

type Brought = Pick<EvidenceCommand, "caller" | "evidence">;

function withEvidence(
  found: Transaction,
  dispute: Dispute,
  command: Brought,
  stamp: Stamp,
): Decision {
  const there = dispute.evidence;
  const evidence = piecesOf(command, there, stamp.now);
  if (evidence.length === there.length) return answered(found);
  const { evidenceDue } = dispute;
  if (stamp.now >= evidenceDue) {
    const message = `evidence on transaction ${found.id} was due by ${evidenceDue.toISOString()}`;
    const metadata = { evidenceDue: evidenceDue.toISOString() };
    return refused(refuse("EVIDENCE_TOO_LATE", message, { metadata }));
  }
  if (evidence.length > EVIDENCE_MAX) {
    return refused(tooMuch(there));
  }
  const transaction = withDueTime({ ...found, dispute: { ...dispute, evidence } });
  return answered(transaction, {
    transactions: [transaction],
    happenings: told(transaction, there.length),
  });
}

function tooMuch(there: readonly Evidence[]): Rejection {
  const message = `a transaction takes ${EVIDENCE_MAX} pieces of evidence`;
  const metadata = { most: String(EVIDENCE_MAX), there: String(there.length) };
  return refuse("TOO_MUCH_EVIDENCE", message, { metadata });
}

/** What is there with what a command brings, each piece of a caller once. */
function piecesOf(
  { caller, evidence }: Brought,
  there: readonly Evidence[],
  submittedAt: Date,
): readonly Evidence[] {
  const submitter = callerName(caller);
  const all = [...there];
  for (const { note, reference, sha256 } of evidence) {
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

/** The pieces of evidence from the `first` on, as news. */
function told(transaction: Transaction, first: number): readonly Happening[] {
  const { evidence } = present(transaction.dispute);
  return evidence.slice(first).map((_piece, index) => ({
    kind: "evidence_submitted",
    transaction,
    nth: first + index,
  }));
}

/**
 * Takes the vote of a named arbitrator, in place of the one it gave before; the same again changes
 * nothing. Refuses, in this order: TRANSACTION_NOT_FOUND, NOT_ARBITRATOR,
 * INVALID_TRANSACTION_STATE.
 */
export function castVote(books: Books, command: VoteCommand, stamp: Stamp): Decision {
  const { id, caller, providerShareBps: shareBps, reason } = command;
  const found = books.transaction(id);
  if (found === undefined || !maySee(found, caller)) return refused(notFound(id));
  const arbitrator = caller.id;
  if (caller.kind !== "agent" || !mayVote(found, arbitrator)) {
    const message = `${callerName(caller)} is no arbitrator of transaction ${id}`;
    return refused(
      refuse("NOT_ARBITRATOR", message, { metadata: { principal: callerName(caller) } }),
    );
  }
  const { dispute } = found;
  const isOpen = found.state === "DISPUTED" && dispute !== undefined;
  const before = dispute?.votes.find((vote) => vote.arbitrator === arbitrator);
  if (before?.shareBps === shareBps && before.reason === reason) return answered(found);
  if (!isOpen) return refused(invalidState(found, "vote on"));
  const vote: Vote = { arbitrator, shareBps, reason, votedAt: stamp.now };
  const others = dispute.votes.filter((other) => other.arbitrator !== arbitrator);
  const transaction = withDueTime({ ...found, dispute: { ...dispute, votes: [...others, vote] } });
  return answered(transaction, {
    transactions: [transaction],
    happenings: [{ kind: "vote_cast", id: stamp.newId(), transaction, vote }],
  });
}

function mayVote({ arbitration, payer, provider }: Transaction, agent: string): boolean {
  return arbitration?.arbitrators.includes(agent) === true && agent !== payer && agent !== provider;
}
