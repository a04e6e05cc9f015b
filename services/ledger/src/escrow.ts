import type { Rejection } from "@bourse/rpc/rejection";
import { type Account, available, outOfRange } from "./account.ts";
import { unusableFor } from "./account-status.ts";
import { answered, type Books, type Decision, present, refused, type Stamp } from "./books.ts";
import type { CancelCommand, RecordCommand, SettleCommand } from "./command.ts";
import type { Movement } from "./movement.ts";
import { foremost, refuse } from "./refusal.ts";
import {
  differingField,
  invalidState,
  notFound,
  type OpenHold,
  type Terms,
  type Transaction,
  trespass,
} from "./transaction.ts";

/**
 * Holds the amount at the payer. Refuses, in this order: SAME_PARTY, TRANSACTION_ID_REUSED,
 * TRANSACTION_ID_BURNT, NOT_GROUP_RECORDER, and then, which burns the id, ACCOUNT_CLOSED,
 * ACCOUNT_FROZEN, INSUFFICIENT_FUNDS.
 */
export function record(books: Books, { terms }: RecordCommand, stamp: Stamp): Decision {
  if (terms.payer === terms.provider) {
    return refused(refuse("SAME_PARTY", `${terms.payer} cannot pay itself`));
  }
  const existing = books.transaction(terms.id);
  const burnt = books.burnt(terms.id);
  const first = existing ?? burnt;
  const field = first === undefined ? undefined : differingField(first, terms);
  if (field !== undefined) {
    const message = `transaction id ${terms.id} was used before with another ${field}`;
    return refused(refuse("TRANSACTION_ID_REUSED", message, { metadata: { field } }));
  }
  if (existing !== undefined) return answered(existing);
  if (burnt !== undefined) {
    const message = `transaction id ${terms.id} was refused before: use a new one`;
    return refused(refuse("TRANSACTION_ID_BURNT", message));
  }
  const trespassed = groupTrespass(books, terms);
  if (trespassed !== undefined) return refused(trespassed);
  const { payer, provider } = partiesOf(books, terms);
  const lacking = lackOf(payer, provider, terms);
  if (lacking !== undefined) return refused(lacking, { burnt: [terms] });
  return hold(present(payer), present(provider), terms, stamp);
}

/** A group is whose who recorded its first transaction: else who knows its id could keep it from being settled. */
function groupTrespass(books: Books, { groupId, recorder }: Terms): Rejection | undefined {
  if (groupId === undefined) return undefined;
  const isMine = [...books.groupRecorders(groupId)].every((each) => each === recorder);
  if (isMine) return undefined;
  const message = `${recorder} may not record into group ${groupId}: it is another's`;
  return refuse("NOT_GROUP_RECORDER", message, { metadata: { groupId, principal: recorder } });
}

function lackOf(
  payer: Account | undefined,
  provider: Account | undefined,
  { payer: owner, amount: { currency, micros } }: Terms,
): Rejection | undefined {
  const unusable = foremost([unusableFor("pay", payer), unusableFor("receive", provider)]);
  if (unusable !== undefined) return unusable;
  const spendable = payer === undefined ? 0n : available(payer);
  if (spendable >= micros) return undefined;
  const message = `${owner} has ${spendable} micros of ${currency} available, not ${micros}`;
  return refuse("INSUFFICIENT_FUNDS", message, {
    metadata: { available: String(spendable), currency },
  });
}

function hold(payer: Account, provider: Account, terms: Terms, stamp: Stamp): Decision {
  const { micros } = terms.amount;
  const open: OpenHold = {
    id: stamp.newId(),
    account: payer.id,
    amount: micros,
    dueAt: new Date(stamp.now.getTime() + terms.holdMs),
  };
  // Written out, since to spread terms into a larger object takes three times as long.
  const transaction: Transaction = {
    id: terms.id,
    payer: terms.payer,
    provider: terms.provider,
    capability: terms.capability,
    amount: terms.amount,
    context: terms.context,
    recorder: terms.recorder,
    groupId: terms.groupId,
    holdMs: terms.holdMs,
    delivery: terms.delivery,
    arbitration: terms.arbitration,
    state: "PENDING",
    settled: 0n,
    owed: 0n,
    hold: open,
    delivered: undefined,
    dispute: undefined,
    endRule: undefined,
    createdAt: stamp.now,
    updatedAt: stamp.now,
    settledAt: undefined,
  };
  return answered(transaction, {
    accounts: promise(payer, provider, micros),
    transactions: [transaction],
    movements: [holdMovement(open, provider.id, terms.id, stamp)],
    happenings: [{ kind: "transaction_recorded", transaction }],
  });
}

/**
 * Pays the provider out of the hold and gives the rest back. Refuses, in this order:
 * TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY, INVALID_TRANSACTION_STATE, CURRENCY_MISMATCH,
 * AMOUNT_EXCEEDS_HOLD, ALREADY_SETTLED_DIFFERENTLY, BALANCE_OUT_OF_RANGE.
 */
export function settle(books: Books, command: SettleCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "settle");
  if (trespassed !== undefined) return refused(trespassed);
  if (found.state === "CANCELLED" || found.state === "DISPUTED") {
    return refused(invalidState(found, "settle"));
  }
  const { micros, currency } = command.amount ?? found.amount;
  if (currency !== found.amount.currency) {
    const message = `transaction ${found.id} is in ${found.amount.currency}, not ${currency}`;
    const metadata = { currency: found.amount.currency };
    return refused(refuse("CURRENCY_MISMATCH", message, { metadata }));
  }
  if (micros > found.amount.micros) {
    const message = `only ${found.amount.micros} micros are held for transaction ${found.id}`;
    const metadata = { held: String(found.amount.micros), currency };
    return refused(refuse("AMOUNT_EXCEEDS_HOLD", message, { metadata }));
  }
  if (found.state === "SETTLED") {
    if (found.settled === micros) return answered(found);
    const message = `transaction ${found.id} was settled for ${found.settled} micros`;
    const metadata = { settled: String(found.settled), currency };
    return refused(refuse("ALREADY_SETTLED_DIFFERENTLY", message, { metadata }));
  }
  const resolved = resolveHold(books, found, micros, stamp);
  const beyond = outOfRange(resolved.accounts);
  if (beyond !== undefined) return refused(beyond);
  const transaction: Transaction = {
    ...found,
    state: "SETTLED",
    settled: micros,
    hold: undefined,
    updatedAt: stamp.now,
    settledAt: stamp.now,
  };
  return answered(transaction, {
    ...resolved,
    transactions: [transaction],
    happenings: [{ kind: "transaction_settled", transaction }],
  });
}

/**
 * Gives the whole hold back. Refuses, in this order: TRANSACTION_NOT_FOUND, NOT_TRANSACTION_PARTY,
 * INVALID_TRANSACTION_STATE.
 */
export function cancel(books: Books, command: CancelCommand, stamp: Stamp): Decision {
  const found = books.transaction(command.id);
  if (found === undefined) return refused(notFound(command.id));
  const trespassed = trespass(found, command.caller, "cancel");
  if (trespassed !== undefined) return refused(trespassed);
  if (found.state === "CANCELLED") return answered(found);
  if (found.state !== "PENDING") return refused(invalidState(found, "cancel"));
  const transaction: Transaction = {
    ...found,
    state: "CANCELLED",
    hold: undefined,
    updatedAt: stamp.now,
  };
  return answered(transaction, {
    ...resolveHold(books, found, 0n, stamp),
    transactions: [transaction],
    happenings: [{ kind: "transaction_cancelled", transaction }],
  });
}

/**
 * Resolves the open hold of a transaction: `pay` micros of it go to the other party, the rest stays
 * with whom it was held at. One POST and one RELEASE at most, which add up to the hold.
 */
export function resolveHold(
  books: Books,
  transaction: Transaction,
  pay: bigint,
  stamp: Stamp,
): { readonly accounts: readonly Account[]; readonly movements: readonly Movement[] } {
  const hold = present(transaction.hold);
  const { payer, provider } = partiesOf(books, transaction);
  const [from, to] =
    hold.account === present(payer).id
      ? [present(payer), present(provider)]
      : [present(provider), present(payer)];
  const movements: Movement[] = [];
  const move = (kind: "POST" | "RELEASE", amount: bigint): void => {
    if (amount === 0n) return;
    movements.push({
      id: stamp.newId(),
      kind,
      debit: from.id,
      credit: to.id,
      amount,
      transactionId: transaction.id,
      transfer: undefined,
      holdId: hold.id,
      createdAt: stamp.now,
    });
  };
  move("POST", pay);
  move("RELEASE", hold.amount - pay);
  return {
    accounts: [
      {
        ...from,
        debitsPosted: from.debitsPosted + pay,
        debitsHeld: from.debitsHeld - hold.amount,
      },
      {
        ...to,
        creditsPosted: to.creditsPosted + pay,
        creditsHeld: to.creditsHeld - hold.amount,
      },
    ],
    movements,
  };
}

/** The accounts after `payer` has promised so many micros to `payee`. */
export function promise(payer: Account, payee: Account, micros: bigint): readonly Account[] {
  return [
    { ...payer, debitsHeld: payer.debitsHeld + micros },
    { ...payee, creditsHeld: payee.creditsHeld + micros },
  ];
}

/** The movement that opens a hold toward the account `credit`. */
export function holdMovement(
  hold: OpenHold,
  credit: bigint,
  transactionId: string,
  stamp: Stamp,
): Movement {
  return {
    id: hold.id,
    kind: "HOLD",
    debit: hold.account,
    credit,
    amount: hold.amount,
    transactionId,
    transfer: undefined,
    holdId: undefined,
    createdAt: stamp.now,
  };
}

/** The accounts of the two parties, where they are open. */
export function partiesOf(books: Books, { payer, provider, amount: { currency } }: Terms) {
  return {
    payer: books.account({ owner: payer, currency }),
    provider: books.account({ owner: provider, currency }),
  };
}
