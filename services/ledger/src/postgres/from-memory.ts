import { isOutage, type Pool, sqlState, violated } from "@bourse/postgres";
import { accountKey } from "../account.ts";
import { type Answer, type Draft, draftOn, type Stamp } from "../books.ts";
import { type Command, play, subjectsOf } from "../command.ts";
import { isUnread } from "../debt.ts";
import { createGate } from "../gate.ts";
import { eventOf } from "../lineage.ts";
import { partsOf, type Repeaters, tellerOf } from "../repeaters.ts";
import type { Commit, Road } from "../store.ts";
import { isPlain, partyNames, type TransactionState } from "../transaction.ts";
import { findStamped, withHolds } from "./accounts.ts";
import type { LockedCommit } from "./batch.ts";
import { createLine } from "./line.ts";
import { createMemory, type Memory } from "./memory.ts";
import { type PaymentBatch, parametersOf, writePayments } from "./payment-batch.ts";
import { findRepeats } from "./repeats.ts";
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
  /** Is told who names what has ended, or records what is used. */
  readonly repeaters: Repeaters;
  readonly onRoad: (road: Road) => void;
}): MemoryCommit {
  const { pool, stamp, repeaters, onRoad } = options;
  const memory = createMemory();
  const line = createLine(pool);
  // Each would find stale what the other is about to change, and a busy process never get back to its memory.
  const gate = createGate<"memory" | "lock">();
  let restUntil = 0;
  let failures = 0;

  async function noteRepeats(commands: readonly Command[]): Promise<boolean> {
    const repeats = await findRepeats(pool, commands);
    repeaters.note(repeats.map(tellerOf));
    return repeats.length > 0;
  }

  async function commit(commands: readonly Command[]): Promise<Commit | undefined> {
    if (!commands.every(isPayment) || performance.now() < restUntil) return undefined;
    await gate.enter("memory");
    try {
      return await attempt(commands);
    } finally {
      gate.leave();
    }
  }

  async function attempt(commands: readonly Command[]): Promise<Commit | undefined> {
    let decided = decide(memory, commands, stamp());
    if (lacks(commands, decided)) {
      if (!(await recall(pool, memory, commands, repeaters))) return undefined;
      decided = decide(memory, commands, stamp());
    }
    if (!isSound(decided)) {
      // Refused, or done before.
      if (decided.draft.changed.movements.length === 0) await noteRepeats(commands);
      return undefined;
    }
    const parameters = parametersOf(decided);
    const failuresBefore = failures;
    decided.stage();
    try {
      await line.send((tx) => writePayments(tx, parameters));
    } catch (error) {
      // Else it was decided on a batch that has failed since: forgotten with that, and no contention.
      const isFirst = failures === failuresBefore;
      if (isFirst) memory.clear();
      failures += 1;
      if (!isStale(error)) throw error;
      onRoad("stale");
      const isRepeated = await noteRepeats(commands);
      if (isFirst && !isRepeated) restUntil = performance.now() + REST_MS;
      return undefined;
    }
    onRoad("memory");
    // What is open of holds is not in memory.
    const answers = await withHolds(pool, decided.answers);
    return { answers, happenings: decided.draft.changed.happenings };
  }

  return {
    commit,
    async underLock(work) {
      await gate.enter("lock");
      try {
        const { written, ...committed } = await work();
        onRoad("lock");
        memory.put(written, written.transactions.filter(isPlain));
        // It does not know how often the journal counts that.
        if (written.accounts.some(({ account }) => account.status === "CLOSED")) memory.clear();
        memory.forget(written.transactions.filter((row) => !isPlain(row)).map(({ id }) => id));
        return committed;
      } finally {
        gate.leave();
      }
    },
    looksRepeated(commands) {
      if (repeaters.isEmpty || !commands.every(isPayment)) return false;
      return commands.flatMap(partsOf).some((part) => {
        if ("id" in part && memory.knowsTransaction(part.id)) return false;
        return repeaters.has(tellerOf(part));
      });
    },
  };
}

/** Commits payments from memory, and keeps memory in step with what is committed otherwise. */
export interface MemoryCommit {
  /** Undefined, and nothing was done, when the commands are to be decided under lock. */
  commit(commands: readonly Command[]): Promise<Commit | undefined>;
  /** Runs what decides under lock while nothing is decided from memory, and remembers what that wrote. */
  underLock(work: () => Promise<LockedCommit>): Promise<Commit>;
  /** Whether these are payments that somebody may repeat who lately did, and that memory does not know. */
  looksRepeated(commands: readonly Command[]): boolean;
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

/**
 * Reads what commands are about and memory lacks. Answers with whether all of it can be remembered: what was
 * delivered, disputed or ended cannot, and is decided under lock.
 */
async function recall(
  pool: Pool,
  memory: Memory,
  commands: readonly Command[],
  repeaters: Repeaters,
): Promise<boolean> {
  const { transactions, recorded, accounts } = subjectsOf(commands);
  const unknown = new Set(transactions.filter((id) => !memory.knowsTransaction(id)));
  const found = await findTransactions(pool, [...unknown], "without disputes");
  const parties = [...recorded, ...found].flatMap(partyNames);
  const missing = [...accounts, ...parties].filter((name) => !memory.knows(name));
  const names = new Map(missing.map((name) => [accountKey(name), name]));
  memory.learn(await findStamped(pool, [...names.values()]), found.filter(isPlain));
  const ended = new Set(found.filter(({ state }) => ENDED.has(state)).map(({ id }) => id));
  const repeats = commands.flatMap(partsOf).filter((part) => "id" in part && ended.has(part.id));
  repeaters.note(repeats.map(tellerOf));
  return found.every((each) => isPlain(each) && each.state === "PENDING");
}

const ENDED: ReadonlySet<TransactionState> = new Set(["SETTLED", "CANCELLED"]);

interface Decided extends PaymentBatch {
  /** Undefined when they go by what is not in memory, such as the debts of an account. */
  readonly answers: readonly Answer[] | undefined;
  /** Lets memory take it in, before anything else is decided. */
  stage(): void;
}

function decide(
  memory: Memory,
  commands: readonly Command[],
  { newStamp, ...outside }: Stamp & { readonly newStamp: () => bigint },
): Decided {
  const { books, sheet, looked, stage, relyOnAll } = memory.watch();
  const draft = draftOn(books, sheet);
  const answers = playPayments(draft, commands, outside);
  if (answers?.some(isRefused) === true) relyOnAll();
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
    if (isUnread(error)) return undefined;
    throw error;
  }
}

function isRefused(answer: Answer): boolean {
  return answer.kind === "group" ? answer.answers.some(isRefused) : answer.kind === "refused";
}

function isOutOfRange(answer: Answer): boolean {
  if (answer.kind === "group") return answer.answers.some(isOutOfRange);
  return answer.kind === "refused" && answer.refusal.reason === "BALANCE_OUT_OF_RANGE";
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
  if (transfers.size !== looked.newTransfers.size) return false;
  if (answers === undefined || looked.unknown.length > 0 || movements.length === 0) return false;
  // Open holds may have ended since they were read.
  if (looked.closings === undefined || answers.some(isOutOfRange)) return false;
  if (happenings.some((happening) => eventOf(happening, now) !== undefined)) return false;
  return [...transactions.values()].every(isPlain);
}
