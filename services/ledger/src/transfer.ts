import { type Account, ISSUER, outOfRange, shift, uncommitted, WORLD } from "./account.ts";
import type { Books, Decision, Stamp, Transfer, TransferKind } from "./books.ts";
import { refused } from "./books.ts";
import type { LimitCommand, TransferCommand } from "./command.ts";
import { present } from "./escrow.ts";
import { type Reason, refuse } from "./refusal.ts";

interface Rule {
  readonly counterpart: string;
  readonly idReused: Reason;
  /** The proto path of the owner. */
  readonly ownerField: string;
  readonly word: string;
}

const RULES: Readonly<Record<TransferKind, Rule>> = {
  DEPOSIT: {
    counterpart: WORLD,
    idReused: "DEPOSIT_ID_REUSED",
    ownerField: "owner",
    word: "deposit",
  },
  WITHDRAWAL: {
    counterpart: WORLD,
    idReused: "WITHDRAWAL_ID_REUSED",
    ownerField: "owner",
    word: "withdrawal",
  },
  CREDIT: {
    counterpart: ISSUER,
    idReused: "CREDIT_ID_REUSED",
    ownerField: "agent_id",
    word: "credit",
  },
};

/**
 * Moves money in or out without a hold. Refuses, in this order: the kind's ..._ID_REUSED,
 * WITHDRAWAL_ID_BURNT, INSUFFICIENT_FUNDS (a withdrawal, which burns its id), BALANCE_OUT_OF_RANGE.
 */
export function transfer(books: Books, command: TransferCommand, stamp: Stamp): Decision {
  const { transfer: kind, id, owner, amount, taskId } = command;
  const rule = RULES[kind];
  const { currency } = amount;
  const account = present(books.account({ owner, currency }));
  const wanted = { kind, id, owner, currency, amount: amount.micros, taskId };
  const first = books.transfer(kind, id);
  const field = first === undefined ? undefined : differingField(first, wanted, rule);
  if (field !== undefined) {
    const message = `${rule.word} id ${id} was used before with another ${field}`;
    return refused(refuse(rule.idReused, message, { metadata: { field } }));
  }
  if (first?.burnt === true) {
    const message = `withdrawal id ${id} was refused for want of funds: use a new one`;
    return refused(refuse("WITHDRAWAL_ID_BURNT", message));
  }
  if (first !== undefined) return answeredAccount(account);
  if (kind === "WITHDRAWAL" && uncommitted(account) < amount.micros) {
    const there = uncommitted(account) < 0n ? 0n : uncommitted(account);
    const message = `${owner} can withdraw ${there} micros of ${currency}, not ${amount.micros}`;
    const metadata = { available: String(there), currency };
    const refusal = refuse("INSUFFICIENT_FUNDS", message, { metadata });
    return refused(refusal, { transfer: { ...wanted, burnt: true } });
  }
  const paidIn = kind === "WITHDRAWAL" ? -amount.micros : amount.micros;
  const after = shift(account, paidIn, 0n);
  const counterpart = shift(
    present(books.account({ owner: rule.counterpart, currency })),
    -paidIn,
    0n,
  );
  const beyond = outOfRange([after, counterpart]);
  if (beyond !== undefined) return refused(beyond);
  const [debit, credit] = paidIn > 0n ? [counterpart, after] : [after, counterpart];
  const done: Transfer = { ...wanted, burnt: false };
  return answeredAccount(after, {
    accounts: [after, counterpart],
    movements: [
      {
        id: stamp.newId(),
        kind: "TRANSFER",
        debit: debit.id,
        credit: credit.id,
        amount: paidIn > 0n ? paidIn : -paidIn,
        reference: id,
        holdId: undefined,
        createdAt: stamp.now,
      },
    ],
    transfer: done,
    happening: { kind: "transfer_posted", transfer: done },
  });
}

/**
 * Sets the limit of an account; one below what is in use stops further spending and changes nothing
 * else.
 */
export function setCreditLimit(books: Books, { owner, limit }: LimitCommand): Decision {
  const found = present(books.account({ owner, currency: limit.currency }));
  if (found.creditLimit === limit.micros) return answeredAccount(found);
  const account = { ...found, creditLimit: limit.micros };
  return answeredAccount(account, {
    accounts: [account],
    happening: { kind: "credit_limit_set", account },
  });
}

function answeredAccount(account: Account, changes: Decision["changes"] = {}): Decision {
  return { answer: { kind: "account", account }, changes };
}

function differingField(
  first: Transfer,
  second: Omit<Transfer, "burnt">,
  rule: Rule,
): string | undefined {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    [rule.ownerField, first.owner, second.owner],
    ["amount.micros", first.amount, second.amount],
    ["amount.currency_code", first.currency, second.currency],
    ["task_id", first.taskId, second.taskId],
  ];
  return pairs.find(([, one, other]) => one !== other)?.[0];
}
