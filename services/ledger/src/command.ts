import { type AccountName, type AccountStatus, ISSUER, type Money, WORLD } from "./account.ts";
import { setStatus } from "./account-status.ts";
import type { Answer, Books, Decision, Draft, Stamp, TransferKind } from "./books.ts";
import type { Caller } from "./caller.ts";
import { recordDelivery } from "./delivery.ts";
import { addEvidence, castVote, flagDispute } from "./dispute.ts";
import { decideOnTime, standing } from "./due.ts";
import { cancel, record, settle } from "./escrow.ts";
import { linked, resolveGroup } from "./group.ts";
import { resolveDispute } from "./resolution.ts";
import type { Evidence, Terms } from "./transaction.ts";
import { setCreditLimit, transfer } from "./transfer.ts";
import type { Windows } from "./windows.ts";

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

/** Notes what was delivered. */
export interface DeliverCommand {
  readonly kind: "deliver";
  readonly id: string;
  readonly caller: Caller;
  /** In hex; "" when it is not told. */
  readonly sha256: string;
  readonly reference: string;
  /** How long the provider took from the hold on, in ms; undefined: until now. */
  readonly latencyMs: number | undefined;
}

/** What a party says in a dispute. */
export type NewEvidence = Omit<Evidence, "submitter" | "submittedAt">;

/** Freezes a transaction and adds evidence. */
export interface DisputeCommand {
  readonly kind: "dispute";
  readonly id: string;
  readonly caller: Caller;
  readonly evidence: readonly NewEvidence[];
  /** How long the steps last where nothing was agreed, in ms. */
  readonly windows: Pick<Windows, "evidenceMs" | "rulingMs" | "disputeMs">;
}

/** Adds evidence to a dispute. */
export interface EvidenceCommand {
  readonly kind: "evidence";
  readonly id: string;
  readonly caller: Caller;
  readonly evidence: readonly NewEvidence[];
}

/** Says what a named arbitrator would rule. */
export interface VoteCommand {
  readonly kind: "vote";
  readonly id: string;
  readonly caller: Caller;
  /** 0 to 10,000. */
  readonly providerShareBps: number;
  readonly reason: string;
}

/** Ends a transaction for which a rule is due; every other command on it does that too. */
export interface DueCommand {
  readonly kind: "due";
  readonly id: string;
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
  | DeliverCommand
  | DisputeCommand
  | EvidenceCommand
  | VoteCommand
  | DueCommand
  | ResolveCommand
  | TransferCommand
  | LimitCommand
  | StatusCommand
  | GroupCommand
  | LinkedCommand;

/**
 * Decides one command on the books as they are: pure, and it changes nothing itself. What is due
 * is done before and after.
 */
export function decide(books: Books, command: Command, stamp: Stamp): Decision {
  return decideOnTime(books, command, stamp, obey);
}

function obey(books: Books, command: Command, stamp: Stamp): Decision {
  switch (command.kind) {
    case "record":
      return record(books, command, stamp);
    case "settle":
      return settle(books, command, stamp);
    case "cancel":
      return cancel(books, command, stamp);
    case "deliver":
      return recordDelivery(books, command, stamp);
    case "dispute":
      return flagDispute(books, command, stamp);
    case "evidence":
      return addEvidence(books, command, stamp);
    case "vote":
      return castVote(books, command, stamp);
    case "due":
      return standing(books, command);
    case "resolve":
      return resolveDispute(books, command, stamp);
    case "transfer":
      return transfer(books, command, stamp);
    case "limit":
      return setCreditLimit(books, command, stamp);
    case "status":
      return setStatus(books, command, stamp);
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
