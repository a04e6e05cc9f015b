import { type Tx, violated } from "@bourse/postgres";
import { accountKey } from "../account.ts";
import { openDraft, type Stamp } from "../books.ts";
import { accountsOf, type Command, play, transactionIdOf } from "../command.ts";
import { eventOf } from "../lineage.ts";
import type { Commit } from "../store.ts";
import type { Terms } from "../transaction.ts";
import { dropAccounts, lockAccounts, updateAccounts } from "./accounts.ts";
import { insertEvidence } from "./evidence.ts";
import { appendEvents } from "./lineage.ts";
import { insertMovements } from "./movements.ts";
import {
  findBurnt,
  findTerms,
  insertBurnt,
  lockTransactions,
  saveTransactions,
} from "./transactions.ts";
import { findTransfers, insertTransfers } from "./transfers.ts";

/** What a batch is decided with. */
export interface BatchStamp extends Stamp {
  readonly newPseudonym: () => string;
}

/** A row came between reading and locking: the batch has to be decided anew. */
class StaleBatch extends Error {
  override readonly name = "StaleBatch";
}

const RACED: ReadonlySet<string> = new Set([
  "transactions_pkey",
  "burnt_transactions_pkey",
  "transfers_pkey",
]);

/**
 * Whether a failed batch only lost a race for an id against another process, and will know better
 * when run again.
 */
export function lostRace(error: unknown): boolean {
  return error instanceof StaleBatch || RACED.has(violated(error) ?? "");
}

/**
 * Decides commands in order and writes what they change, within the caller's database transaction.
 * Locks: accounts by id, then transactions by id, then the head of the lineage; every writer takes
 * them in this order.
 */
export async function commitIn(
  tx: Tx,
  commands: readonly Command[],
  stamp: BatchStamp,
): Promise<Commit> {
  const ids = [...new Set(commands.flatMap((command) => transactionIdOf(command) ?? []))];
  const terms = new Map((await findTerms(tx, ids)).map((found) => [found.id, found]));
  for (const command of commands) {
    if (command.kind === "record" && !terms.has(command.terms.id)) {
      terms.set(command.terms.id, command.terms);
    }
  }
  const known = (id: string) => terms.get(id);
  const names = commands.flatMap((command) => accountsOf(command, known));
  const { accounts, opened } = await lockAccounts(tx, names, stamp.now);
  const transactions = await lockTransactions(tx, ids);
  const locked = new Set(accounts.map(accountKey));
  if (transactions.some((found) => !partyKeys(found).every((key) => locked.has(key)))) {
    throw new StaleBatch("a transaction appeared while other accounts were being locked");
  }
  const recorded = commands.flatMap((command) =>
    command.kind === "record" ? [command.terms.id] : [],
  );
  const moved = commands.flatMap((command) =>
    command.kind === "transfer" ? [{ kind: command.transfer, id: command.id }] : [],
  );
  const burnt = await findBurnt(tx, recorded);
  const draft = openDraft({
    accounts,
    transactions,
    burnt,
    transfers: await findTransfers(tx, moved),
  });
  const answers = play(draft, commands, stamp);
  const { changed } = draft;
  const touched = [...changed.accounts.values()];
  await updateAccounts(tx, touched);
  const ends = changed.movements.flatMap(({ debit, credit }) => [debit, credit]);
  const used = new Set([...touched.map(({ id }) => id), ...ends]);
  await dropAccounts(
    tx,
    opened.filter((id) => !used.has(id)),
  );
  const saved = [...changed.transactions.values()];
  await saveTransactions(tx, saved, new Set(transactions.map(({ id }) => id)));
  await insertMovements(tx, changed.movements);
  await insertEvidence(tx, saved, transactions);
  await insertTransfers(tx, changed.transfers, stamp.now);
  await insertBurnt(tx, changed.burnt, stamp.now);
  const events = changed.happenings.flatMap((happening) => eventOf(happening, stamp.now) ?? []);
  if (events.length > 0) await appendEvents(tx, "ledger", events, stamp);
  return { answers, happenings: changed.happenings };
}

function partyKeys({ payer, provider, amount: { currency } }: Terms): readonly string[] {
  return [payer, provider].map((owner) => accountKey({ owner, currency }));
}
