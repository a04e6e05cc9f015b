import { type AccountName, ISSUER, type Money, WORLD } from "./account.ts";
import type { Answer, Books, Decision, Draft, Stamp, TransferKind } from "./books.ts";
import type { Caller } from "./caller.ts";
import { flagDispute, resolveDispute } from "./dispute.ts";
import { cancel, record, settle } from "./escrow.ts";
import type { Evidence, Terms } from "./transaction.ts";
import { setCreditLimit, transfer } from "./transfer.ts";

/** Holds an amount. */
export interface RecordCommand {
  readonly kind: "record";
  readonly terms: Terms;
}

/** Pays the provider all or `amount`. */
export interface SettleCommand {
  readonly kind: "settle";
  readonly id: string;
  readonly amount: Money | undefined;
  readonly caller: Caller;
}

/** Gives the payer everything back. */
export interface CancelCommand {
  readonly kind: "cancel";
  readonly id: string;
  readonly caller: Caller;
}

/** Freezes a transaction and adds evidence. */
export interface DisputeCommand {
  readonly kind: "dispute";
  readonly id: string;
  readonly caller: Caller;
  readonly evidence: readonly Omit<Evidence, "submitter" | "submittedAt">[];
}

/** Rules on a dispute. */
export interface ResolveCommand {
  readonly kind: "resolve";
  readonly id: string;
  readonly caller: Caller;
  /** 0 to 10,000. */
  readonly providerShareBps: number;
  readonly reason: string;
}

/** Moves money without a hold; only the amount of a CREDIT may be negative. */
export interface TransferCommand {
  readonly kind: "transfer";
  readonly transfer: TransferKind;
  readonly id: string;
  readonly owner: string;
  readonly amount: Money;
  /** Of a CREDIT; "" otherwise. */
  readonly taskId: string;
}

/** Sets how far below zero an account may go; zero or more. */
export interface LimitCommand {
  readonly kind: "limit";
  readonly owner: string;
  readonly limit: Money;
}

/** All that changes the books. */
export type Command =
  | RecordCommand
  | SettleCommand
  | CancelCommand
  | DisputeCommand
  | ResolveCommand
  | TransferCommand
  | LimitCommand;

/** Decides one command on the books as they are: pure, and it changes nothing itself. */
export function decide(books: Books, command: Command, stamp: Stamp): Decision {
  switch (command.kind) {
    case "record":
      return record(books, command, stamp);
    case "settle":
      return settle(books, command, stamp);
    case "cancel":
      return cancel(books, command, stamp);
    case "dispute":
      return flagDispute(books, command, stamp);
    case "resolve":
      return resolveDispute(books, command, stamp);
    case "transfer":
      return transfer(books, command, stamp);
    case "limit":
      return setCreditLimit(books, command);
  }
}

/**
 * Decides commands one after the other, each on what the ones before it left; the draft holds the
 * sum.
 */
export function play(draft: Draft, commands: readonly Command[], stamp: Stamp): Answer[] {
  return commands.map((command) => {
    const { answer, changes } = decide(draft, command, stamp);
    draft.apply(changes);
    return answer;
  });
}

/** The id of the transaction that a command is about, or undefined. */
export function transactionIdOf(command: Command): string | undefined {
  if (command.kind === "record") return command.terms.id;
  return "id" in command && command.kind !== "transfer" ? command.id : undefined;
}

/**
 * The accounts that a command may touch: all of them must be in the books it is decided on. `known`
 * tells the terms of the transactions that exist; a command about another one touches what the
 * record before it in the batch names.
 */
export function accountsOf(
  command: Command,
  known: (transactionId: string) => Pick<Terms, "payer" | "provider" | "amount"> | undefined,
): readonly AccountName[] {
  if (command.kind === "limit") return [{ owner: command.owner, currency: command.limit.currency }];
  if (command.kind === "transfer") {
    const { currency } = command.amount;
    const source = command.transfer === "CREDIT" ? ISSUER : WORLD;
    return [
      { owner: command.owner, currency },
      { owner: source, currency },
    ];
  }
  const own = command.kind === "record" ? command.terms : undefined;
  return [known(transactionIdOf(command) ?? ""), own].flatMap((terms) =>
    terms === undefined || terms.payer === terms.provider
      ? []
      : [
          { owner: terms.payer, currency: terms.amount.currency },
          { owner: terms.provider, currency: terms.amount.currency },
        ],
  );
}
