import {
  isOutage,
  type Pool,
  type PoolClient,
  sqlState,
  type Tx,
  violated,
} from "@bourse/postgres";
import { accountKey } from "../account.ts";
import { type Answer, type Draft, draftOn, MissingRow, type Stamp } from "../books.ts";
import { type Command, play, subjectsOf } from "../command.ts";
import { DebtsUnread } from "../debt.ts";
import { eventOf } from "../lineage.ts";
import type { Commit } from "../store.ts";
import { partyNames, type Transaction } from "../transaction.ts";
import { findStamped } from "./accounts.ts";
import { createMemory, type Memory } from "./memory.ts";
import { type PaymentBatch, parametersOf, writePayments } from "./payment-batch.ts";
import { findTransactions } from "./transactions.ts";

/** How long batches are decided under lock after one that was decided from memory was stale. */
const REST_MS = 200;

/**
 * Commits payments that are decided on what this process remembers, in one statement that checks
 * that all of it still stands. Answers with undefined, and has done nothing, when the commands are
 * no mere payments, or when others have changed what they touch: then they are decided under lock.
 *
 * The next batch is decided while this one is written, and sent behind it on the same connection.
 * Nothing that is decided on a batch which then fails can be written, since the stamp that it drew
 * for its accounts is nowhere but in memory.
 */
export function createMemoryCommit(options: {
  readonly pool: Pool;
  readonly stamp: () => Stamp & { readonly newStamp: () => bigint };
}): (commands: readonly Command[]) => Promise<Commit | undefined> {
  const { pool, stamp } = options;
  const memory = createMemory();
  const line = createLine(pool);
  let restUntil = 0;

  return async (commands) => {
    if (!commands.every(isPayment)) {
      // Else it would be remembered as it was before, and the next payment of it would be stale.
      memory.forget(subjectsOf(commands).transactions);
      return undefined;
    }
    if (performance.now() < restUntil) return undefined;
    let decided = decide(memory, commands, stamp());
    if (lacks(commands, decided)) {
      if (!(await recall(pool, memory, commands))) return undefined;
      decided = decide(memory, commands, stamp());
    }
    if (!isSound(decided)) return undefined;
    const parameters = parametersOf(decided);
    decided.stage();
    try {
      await line.send((tx) => writePayments(tx, parameters));
    } catch (error) {
      memory.clear();
      if (!isStale(error)) throw error;
      if (isContended(error)) restUntil = performance.now() + REST_MS;
      return undefined;
    }
    return { answers: decided.answers, happenings: decided.draft.changed.happenings };
  };
}

function isPayment(command: Command): boolean {
  if (command.kind === "linked") return command.commands.every(isPayment);
  return ["record", "settle", "cancel", "transfer"].includes(command.kind);
}

/** Whether a batch failed only because it was decided on what is not so any more. */
function isStale(error: unknown): boolean {
  if (isOutage(error)) return false;
  const state = sqlState(error) ?? "";
  return ["40001", "40P01"].includes(state) || violated(error) !== undefined;
}

/** Whether others work on the same rows, which they will go on to do; an id told again is no sign. */
function isContended(error: unknown): boolean {
  return violated(error) === undefined;
}

/**
 * Reads what commands are about and memory lacks. Answers with whether all of it can be remembered: what was
 * delivered, disputed or ended cannot, and is decided under lock.
 */
async function recall(pool: Pool, memory: Memory, commands: readonly Command[]): Promise<boolean> {
  const { transactions, recorded, accounts } = subjectsOf(commands);
  const unknown = new Set(transactions.filter((id) => !memory.knowsTransaction(id)));
  const found = await findTransactions(pool, [...unknown], "without disputes");
  const parties = [...recorded, ...found].flatMap(partyNames);
  const missing = [...accounts, ...parties].filter((name) => !memory.knows(name));
  const names = new Map(missing.map((name) => [accountKey(name), name]));
  memory.learn(await findStamped(pool, [...names.values()]), found.filter(isPlain));
  return found.every((each) => isPlain(each) && each.state === "PENDING");
}

/** Whether a transaction is a payment that nobody has delivered for or disputed. */
function isPlain({ state, delivered, dispute, endRule, owed }: Transaction): boolean {
  const isUndisturbed = delivered === undefined && dispute === undefined && endRule === undefined;
  return isUndisturbed && owed === 0n && state !== "DISPUTED";
}

interface Decided extends PaymentBatch {
  /** Undefined when an account owes something, whose debts are not in memory. */
  readonly answers: readonly Answer[] | undefined;
  /** Lets memory take it in, before anything else is decided. */
  stage(): void;
}

function decide(
  memory: Memory,
  commands: readonly Command[],
  { newStamp, ...outside }: Stamp & { readonly newStamp: () => bigint },
): Decided {
  const { books, sheet, looked, stage } = memory.watch();
  const draft = draftOn(books, sheet);
  const answers = playPayments(draft, commands, outside);
  const { transactions } = draft.changed;
  // Looked for and not there after all.
  const missing = [...looked.absent].filter((id) => !transactions.has(id));
  const stamp = newStamp();
  return {
    draft,
    answers,
    looked,
    missing,
    now: outside.now,
    stamp,
    stage: () => stage(transactions.values(), stamp),
  };
}

function playPayments(draft: Draft, commands: readonly Command[], stamp: Stamp) {
  try {
    return play(draft, commands, stamp);
  } catch (error) {
    if (error instanceof DebtsUnread || error instanceof MissingRow) return undefined;
    throw error;
  }
}

/** Whether a decision looked for what memory does not know but the books may. */
function lacks(commands: readonly Command[], { looked, missing }: Decided): boolean {
  if (looked.unknown.length > 0) return true;
  if (missing.length === 0) return false;
  const asked = new Set(subjectsOf(commands).transactions);
  return missing.some((id) => asked.has(id));
}

/** Whether a decision is one that the statement can write: payments between accounts that are open. */
function isSound(decided: Decided): decided is Decided & { readonly answers: readonly Answer[] } {
  const { answers, looked, draft, now } = decided;
  const { movements, transactions, transfers, happenings } = draft.changed;
  // What is not inserted runs into no key: whether it was done before is for the books to say.
  if (transfers.length !== looked.newTransfers.size) return false;
  if (answers === undefined || looked.unknown.length > 0 || movements.length === 0) return false;
  if (happenings.some((happening) => eventOf(happening, now) !== undefined)) return false;
  return [...transactions.values()].every(isPlain);
}

/** Sends statements one behind the other over one connection, for as long as there are any. */
function createLine(pool: Pool) {
  let lent: Lent | undefined;
  return {
    async send<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      lent ??= { client: connect(pool), users: 0, broken: undefined };
      const mine = lent;
      mine.users += 1;
      try {
        return await work(await mine.client);
      } catch (error) {
        if (isOutage(error)) mine.broken = error as Error;
        throw error;
      } finally {
        mine.users -= 1;
        if (mine === lent && (mine.users === 0 || mine.broken !== undefined)) lent = undefined;
        if (mine.users === 0) await giveBack(mine);
      }
    },
  };
}

interface Lent {
  readonly client: Promise<PoolClient>;
  users: number;
  broken: Error | undefined;
}

async function connect(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect();
  // A connection that is lost emits this too, beside failing its statements.
  client.on("error", ignore);
  return client;
}

function ignore(): void {}

async function giveBack({ client, broken }: Lent): Promise<void> {
  try {
    const lent = await client;
    lent.off("error", ignore);
    lent.release(broken);
  } catch {
    // There was no connection: whoever asked for it was told.
  }
}
