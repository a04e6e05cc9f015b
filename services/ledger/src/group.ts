import type { Rejection } from "@bourse/rpc/rejection";
import {
  type Answer,
  type Books,
  type Changes,
  type Decision,
  type Draft,
  draftOn,
  present,
  refused,
  type Stamp,
} from "./books.ts";
import type { Command, GroupCommand, LinkedCommand } from "./command.ts";
import { foremost, refuse } from "./refusal.ts";

/** How one command is decided. */
export type Decide = (books: Books, command: Command, stamp: Stamp) => Decision;

/**
 * Decides commands that succeed or fail as one, each on what the ones before it left. When one is
 * refused, it bears its own reason, the others LINKED_ENTRY_FAILED, and nothing is written but the
 * id that it burnt.
 */
export function linked(
  books: Books,
  { commands }: LinkedCommand,
  stamp: Stamp,
  decide: Decide,
): Decision {
  const draft = draftOn(books);
  const answers: Answer[] = [];
  for (const [index, command] of commands.entries()) {
    const { answer, changes } = decide(draft, command, stamp);
    if (answer.kind === "refused") {
      const message = `entry ${index} of its group was refused with ${answer.refusal.reason}`;
      const metadata = { entry: String(index), reason: answer.refusal.reason };
      const failed = refused(refuse("LINKED_ENTRY_FAILED", message, { metadata })).answer;
      return {
        answer: {
          kind: "group",
          answers: commands.map((_, nth) => (nth === index ? answer : failed)),
        },
        changes: burntBy(changes),
      };
    }
    answers.push(answer);
    draft.apply(changes);
  }
  return { answer: { kind: "group", answers }, changes: changesOf(draft) };
}

/** All else was decided on entries before it, which are not done: what is due stays due. */
function burntBy({ burnt = [], transfers = [] }: Changes): Changes {
  return { burnt, transfers: transfers.filter((transfer) => transfer.burnt) };
}

/**
 * Settles or cancels all transactions of a group, or none. Refuses with GROUP_NOT_FOUND and with
 * what settling or cancelling one of them is refused with.
 */
export function resolveGroup(
  books: Books,
  { deed, id, caller }: GroupCommand,
  stamp: Stamp,
  decide: Decide,
): Decision {
  const members = books.group(id);
  if (members.length === 0) {
    return refused(
      refuse("GROUP_NOT_FOUND", `there is no group ${id}`, { metadata: { groupId: id } }),
    );
  }
  const commands = members.map(
    (member): Command =>
      deed === "settle"
        ? { kind: "settle", id: member, amount: undefined, caller }
        : { kind: "cancel", id: member, caller },
  );
  const decision = linked(books, { kind: "linked", commands }, stamp, decide);
  const failed = refusalsOf(decision);
  if (failed.length === 0) return decision;
  const alone = commands.flatMap((command) => refusalsOf(decide(books, command, stamp)));
  return refused(present(foremost([...failed, ...alone])));
}

/** Why a decision refuses, without those that only follow from another. */
function refusalsOf({ answer }: Decision): readonly Rejection[] {
  const answers = answer.kind === "group" ? answer.answers : [answer];
  return answers.flatMap((each) =>
    each.kind === "refused" && each.refusal.reason !== "LINKED_ENTRY_FAILED" ? [each.refusal] : [],
  );
}

/** All that a draft has changed, as the changes of one decision. */
export function changesOf({ changed }: Draft): Changes {
  return {
    accounts: [...changed.accounts().values()],
    transactions: [...changed.transactions.values()],
    movements: changed.movements,
    burnt: [...changed.burnt.values()],
    transfers: [...changed.transfers.values()],
    happenings: changed.happenings,
  };
}
