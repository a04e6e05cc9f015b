import type { Tx } from "@bourse/postgres";
import { accountKey } from "../account.ts";
import { type Answer, type Draft, draftOn, openDraft, type Stamp, transferKey } from "../books.ts";
import { type Command, play, subjectsOf } from "../command.ts";
import { isUnread } from "../debt.ts";
import { partsOf } from "../repeaters.ts";
import { findStamped, withHolds } from "./accounts.ts";
import { findBurnt } from "./burnt.ts";
import { findOtherRecorders } from "./groups.ts";
import { findTransactions } from "./transactions.ts";
import { findTransfers } from "./transfers.ts";

/** Those of these commands whose own id was used before, whatever came of it, or that record into a group of others. */
export async function findRepeats(
  tx: Tx,
  commands: readonly Command[],
): Promise<readonly Command[]> {
  const parts = commands.flatMap(partsOf);
  const { recorded, transfers } = subjectsOf(parts);
  const ids = recorded.map(({ id }) => id);
  const used = new Set<string>();
  const groups = await findOtherRecorders(tx, recorded);
  for (const { id } of await findTransactions(tx, ids, "without disputes")) used.add(id);
  for (const { id } of await findBurnt(tx, ids)) used.add(id);
  for (const { kind, id } of await findTransfers(tx, transfers)) used.add(transferKey(kind, id));
  return parts.filter((part) => {
    if (part.kind === "record") {
      return used.has(part.terms.id) || groups.has(part.terms.groupId ?? "");
    }
    return part.kind === "transfer" && used.has(transferKey(part.transfer, part.id));
  });
}

/**
 * Answers payments that are decided without changing anything, as those are that were done before. Nothing
 * is locked: what they are answered was so at the instant of the snapshot that `tx` reads. The others have
 * undefined in their place.
 */
export async function answerUnchanging(
  tx: Tx,
  parcels: readonly (readonly Command[])[],
  stamp: Stamp,
): Promise<readonly (readonly Answer[] | undefined)[]> {
  const { transactions, recorded, transfers, accounts } = subjectsOf(parcels.flat());
  const ids = recorded.map(({ id }) => id);
  const names = new Map(accounts.map((name) => [accountKey(name), name]));
  const found = await findStamped(tx, [...names.values()]);
  const books = openDraft({
    accounts: found.accounts.map(({ account }) => account),
    transactions: await findTransactions(
      tx,
      [...new Set([...transactions, ...ids])],
      "with disputes",
    ),
    burnt: await findBurnt(tx, ids),
    transfers: await findTransfers(tx, transfers),
    recorders: await findOtherRecorders(tx, recorded),
  });
  const answers = parcels.map((commands) => answersTo(draftOn(books), commands, stamp));
  const shown = await withHolds(
    tx,
    answers.flat().filter((answer) => answer !== undefined),
  );
  let begin = 0;
  return answers.map((each) => {
    if (each === undefined) return undefined;
    begin += each.length;
    return shown.slice(begin - each.length, begin);
  });
}

function answersTo(
  draft: Draft,
  commands: readonly Command[],
  stamp: Stamp,
): readonly Answer[] | undefined {
  try {
    const answers = play(draft, commands, stamp);
    return isUntouched(draft.changed) ? answers : undefined;
  } catch (error) {
    // What is decided on more than was read here is no repetition.
    if (isUnread(error)) return undefined;
    throw error;
  }
}

function isUntouched(changed: ReturnType<typeof draftOn>["changed"]): boolean {
  const { transactions, movements, burnt, transfers, happenings } = changed;
  const maps = [changed.accounts(), transactions, burnt, transfers];
  return maps.every(({ size }) => size === 0) && movements.length + happenings.length === 0;
}
