import { type AccountName, type AccountStatus, ISSUER, type Money, WORLD } from "./account.ts";
import { setStatus } from "./account-status.ts";
import type { Answer, Books, Decision, Draft, Stamp, TransferKind } from "./books.ts";
import type { Caller } from "./caller.ts";
import { flagDispute, resolveDispute } from "./dispute.ts";
import { cancel, record, settle } from "./escrow.ts";
import { linked, resolveGroup } from "./group.ts";
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

/** Opens, freezes or closes an account. */
export interface StatusCommand {
  readonly kind: "status";
  readonly owner: string;
  readonly currency: string;
  readonly status: AccountStatus;
}

/** Settles or cancels a whole group. */
export interface GroupCommand {
  readonly kind: "group";
  readonly deed: "settle" | "cancel";
  /** The id that its transactions were recorded with. */
  readonly id: string;
  readonly caller: Caller;
}

/** Commands that succeed or fail as one. */
export interface LinkedCommand {
  readonly kind: "linked";
  readonly commands: readonly Command[];
}

/** All that changes the books. */
export type Command =
  | RecordCommand
  | SettleCommand
  | CancelCommand
  | DisputeCommand
  | ResolveCommand
  | TransferCommand
  | LimitCommand
  | StatusCommand
  | GroupCommand
  | LinkedCommand;

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
    case "status":
      return setStatus(books, command);
    case "group":
      return resolveGroup(books, command, stamp, decide);
    case "linked":
      return linked(books, command, stamp, decide);
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

/** What a command is about, so that it can be locked and read before it is decided. */
export interface Subjects {
  /** Transactions that may exist already. */
  readonly transactions: readonly string[];
  /** Transactions that are to be recorded. */
  readonly recorded: readonly Terms[];
  /** Groups, all of whose transactions are meant. */
  readonly groups: readonly string[];
  /** Accounts beyond those of the parties. */
  readonly accounts: readonly AccountName[];
  readonly transfers: readonly { readonly kind: TransferKind; readonly id: string }[];
}

/** What these commands are about; an account or transaction may come up more than once. */
export function subjectsOf(commands: readonly Command[]): Subjects {
  const transactions: string[] = [];
  const recorded: Terms[] = [];
  const groups: string[] = [];
  const accounts: AccountName[] = [];
  const transfers: { kind: TransferKind; id: string }[] = [];
  const add = (command: Command): void => {
    switch (command.kind) {
      case "record":
        recorded.push(command.terms);
        break;
      case "transfer": {
        const { currency } = command.amount;
        accounts.push({ owner: command.owner, currency });
        accounts.push({ owner: command.transfer === "CREDIT" ? ISSUER : WORLD, currency });
        transfers.push({ kind: command.transfer, id: command.id });
        break;
      }
      case "limit":
        accounts.push({ owner: command.owner, currency: command.limit.currency });
        break;
      case "status":
        accounts.push({ owner: command.owner, currency: command.currency });
        break;
      case "group":
        groups.push(command.id);
        break;
      case "linked":
        command.commands.forEach(add);
        break;
      default:
        transactions.push(command.id);
    }
  };
  commands.forEach(add);
  return { transactions, recorded, groups, accounts, transfers };
}
