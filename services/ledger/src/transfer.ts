import type { Rejection } from "@bourse/rpc/rejection";
import {
  type Account,
  credited,
  debited,
  ISSUER,
  outOfRange,
  uncommitted,
  WORLD,
} from "./account.ts";
import { unusableFor } from "./account-status.ts";
import {
  answeredAccount,
  type Books,
  type Decision,
  present,
  refused,
  type Stamp,
  type Transfer,
  type TransferKind,
} from "./books.ts";
import type { LimitCommand, TransferCommand } from "./command.ts";
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
 * WITHDRAWAL_ID_BURNT, ACCOUNT_CLOSED, ACCOUNT_FROZEN (a withdrawal), INSUFFICIENT_FUNDS (a
 * withdrawal), BALANCE_OUT_OF_RANGE. A withdrawal that lacks something burns its id.
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
    const message = `withdrawal id ${id} was refused before: use a new one`;
    return refused(refuse("WITHDRAWAL_ID_BURNT", message));
  }
  if (first !== undefined) return answeredAccount(account);
  const lacking = lackOf(account, command);
  if (lacking !== undefined) {
    const burns = kind === "WITHDRAWAL";
    return refused(lacking, burns ? { transfers: [{ ...wanted, burnt: true }] } : {});
  }
  return move(
    account,
    present(books.account({ owner: rule.counterpart, currency })),
    wanted,
    stamp,
  );
}

function lackOf(account: Account, { transfer: kind, amount }: TransferCommand) {
  const isPaidOut = kind === "WITHDRAWAL";
  const unusable = unusableFor(isPaidOut ? "pay" : "receive", account);
  if (unusable !== undefined || !isPaidOut) return unusable;
  return lackOfFunds(account, amount.micros);
}

function lackOfFunds(account: Account, micros: bigint): Rejection | undefined {
  if (uncommitted(account) >= micros) return undefined;
  const { owner, currency } = account;
  const there = uncommitted(account) < 0n ? 0n : uncommitted(account);
  const message = `${owner} can withdraw ${there} micros of ${currency}, not ${micros}`;
  const metadata = { available: String(there), currency };
  return refuse("INSUFFICIENT_FUNDS", message, { metadata });
}

function move(
  account: Account,
  counterpart: Account,
  wanted: Omit<Transfer, "burnt">,
  stamp: Stamp,
): Decision {
  const paidIn = wanted.kind === "WITHDRAWAL" ? -wanted.amount : wanted.amount;
  const micros = paidIn > 0n ? paidIn : -paidIn;
  const [from, to] = paidIn > 0n ? [counterpart, account] : [account, counterpart];
  const accounts = [debited(from, micros), credited(to, micros)];
  const beyond = outOfRange(accounts);
  if (beyond !== undefined) return refused(beyond);
  const done: Transfer = { ...wanted, burnt: false };
  return answeredAccount(present(accounts.find(({ id }) => id === account.id)), {
    accounts,
    movements: [
      {
        id: stamp.newId(),
        kind: "TRANSFER",
        debit: from.id,
        credit: to.id,
        amount: micros,
        transactionId: undefined,
        transfer: wanted.id,
        holdId: undefined,
        createdAt: stamp.now,
      },
    ],
    transfers: [done],
    happenings: [{ kind: "transfer_posted", transfer: done }],
  });
}

/**
 * Sets the limit of an account; one below what is in use stops further spending and changes nothing
 * else.
 */
export function setCreditLimit(
  books: Books,
  { owner, limit }: LimitCommand,
  stamp: Stamp,
): Decision {
  const found = present(books.account({ owner, currency: limit.currency }));
  if (found.creditLimit === limit.micros) return answeredAccount(found);
  const account = { ...found, creditLimit: limit.micros };
  return answeredAccount(account, {
    accounts: [account],
    happenings: [{ kind: "credit_limit_set", id: stamp.newId(), account }],
  });
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
