import { answered, type Books, type Decision, present, refused, type Stamp } from "./books.ts";
import type { DeliverCommand } from "./command.ts";
import { refuse } from "./refusal.ts";
import { nextRuling } from "./ruling.ts";
import {
  type Delivery,
  invalidState,
  notFound,
  type Transaction,
  trespass,
} from "./transaction.ts";

/**
 * Notes what was delivered; the same again changes nothing. Refuses, in this order:
 * TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY, INVALID_TRANSACTION_STATE (over, or settled before
 * the dispute), ALREADY_DELIVERED_DIFFERENTLY.
 */
export function recordDelivery(books: Books, command: DeliverCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "deliver");
  if (trespassed !== undefined) return refused(trespassed);
  const { sha256, reference } = command;
  const before = found.delivered;
  if (before?.sha256 === sha256 && before.reference === reference) return answered(found);
  const isOpen = found.state === "PENDING" || found.state === "DISPUTED";
  if (!isOpen || found.dispute?.wasSettled === true) {
    return refused(invalidState(found, "deliver for"));
  }
  if (before !== undefined) {
    const message = `something else was delivered for transaction ${found.id}`;
    const metadata = { sha256: before.sha256, reference: before.reference };
    return refused(refuse("ALREADY_DELIVERED_DIFFERENTLY", message, { metadata }));
  }
  const delivered: Delivery = { at: deliveryTime(found, command, stamp.now), sha256, reference };
  const transaction = withDueTime({ ...found, delivered, updatedAt: stamp.now });
  return answered(transaction, {
    transactions: [transaction],
    happenings: [{ kind: "delivery_recorded", transaction }],
  });
}

/** Now, unless a service that measured it says how long the provider took. */
function deliveryTime({ createdAt }: Transaction, { latencyMs }: DeliverCommand, now: Date): Date {
  if (latencyMs === undefined) return now;
  return new Date(Math.min(now.getTime(), createdAt.getTime() + latencyMs));
}

/** An open transaction with the time at which a rule ends it as its facts are now. */
export function withDueTime(transaction: Transaction): Transaction {
  const dueAt = nextRuling(transaction).at;
  const { dispute } = transaction;
  return dispute === undefined
    ? { ...transaction, hold: { ...present(transaction.hold), dueAt } }
    : { ...transaction, dispute: { ...dispute, dueAt } };
}
