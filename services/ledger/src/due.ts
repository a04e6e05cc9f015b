import {
  type Answer,
  answered,
  type Books,
  type Changes,
  type Decision,
  type Draft,
  draftOn,
  refused,
  type Stamp,
} from "./books.ts";
import type { Command, DueCommand } from "./command.ts";
import { canPay, collectDebts } from "./debt.ts";
import { changesOf, type Decide } from "./group.ts";
import { dueOf, endWhenDue } from "./resolution.ts";
import { notFound, type Transaction } from "./transaction.ts";

/**
 * Decides a command as `obey` does, with what is due around it: a transaction for which a rule is
 * due is ended first, so that no answer depends on whether somebody came by in time; it is ended
 * afterwards when the command made that due; and what accounts owe is taken from what they then
 * have.
 */
export function decideOnTime(books: Books, command: Command, stamp: Stamp, obey: Decide): Decision {
  const id = transactionOf(command);
  const draft = isDue(books, id, stamp) ? endedDraft(books, id, stamp) : undefined;
  const decision = obey(draft ?? books, command, stamp);
  // Nearly all commands end here.
  if (draft === undefined && !leavesMore(decision.changes, stamp)) return decision;
  const after = draft ?? draftOn(books);
  after.apply(decision.changes);
  if (isDue(after, id, stamp)) after.apply(endWhenDue(after, id, stamp) ?? {});
  collectDebts(after, stamp);
  return { answer: asItIsNow(decision.answer, after), changes: changesOf(after) };
}

function endedDraft(books: Books, id: string, stamp: Stamp): Draft {
  const draft = draftOn(books);
  draft.apply(endWhenDue(books, id, stamp) ?? {});
  return draft;
}

/** Answers with a transaction as it is: what is due was done before. */
export function standing(books: Books, { id }: DueCommand): Decision {
  const found = books.transaction(id);
  return found === undefined ? refused(notFound(id)) : answered(found);
}

/** The transaction that a command is about, "" when it is about none or several. */
function transactionOf(command: Command): string {
  if (command.kind === "record") return command.terms.id;
  if (command.kind === "transfer" || command.kind === "group") return "";
  return "id" in command ? command.id : "";
}

function isDue(books: Books, id: string, { now }: Stamp): boolean {
  const found = id === "" ? undefined : books.transaction(id);
  return found !== undefined && isOver(found, now);
}

function leavesMore({ accounts = [], transactions = [] }: Changes, { now }: Stamp): boolean {
  return accounts.some(canPay) || transactions.some((each) => isOver(each, now));
}

/** Whether a rule ends it by now. Dates that are compared themselves take eight times as long. */
function isOver(transaction: Transaction, now: Date): boolean {
  const dueAt = dueOf(transaction);
  return dueAt !== undefined && dueAt.getTime() <= now.getTime();
}

function asItIsNow(answer: Answer, books: Books): Answer {
  switch (answer.kind) {
    case "transaction":
      return {
        ...answer,
        transaction: books.transaction(answer.transaction.id) ?? answer.transaction,
      };
    case "account":
      return { ...answer, account: books.account(answer.account) ?? answer.account };
    default:
      return answer;
  }
}
