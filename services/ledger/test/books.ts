import { randomUUIDv7 } from "node:crypto";
import { type TestDatabase, testDatabase } from "@bourse/postgres/testing";
import { type Account, balance, type Money } from "../src/account.ts";
import type { Answer } from "../src/books.ts";
import type { Caller } from "../src/caller.ts";
import type { Command, DisputeCommand, RecordCommand, TransferCommand } from "../src/command.ts";
import { newPseudonym } from "../src/ids.ts";
import { createLogStore } from "../src/postgres/log-store.ts";
import { createLedgerStore, createLineageStore, type StoreOptions } from "../src/postgres.ts";
import type { TransactionFilter } from "../src/store.ts";
import { WINDOWS } from "../src/windows.ts";

/** A migrated database with the books of the ledger. */
export function openDatabase(): Promise<TestDatabase> {
  return testDatabase({
    schema: "ledger",
    directory: new URL("../migrations/", import.meta.url),
    max: 20,
  });
}

/** How many entries of the journal a chapter has before the next one begins. */
export const CHAPTER_ENTRIES = 262_144;

/** Begins a chapter of transactions, as the journal does when the newest has grown long. */
export async function beginChapter({ pool }: Pick<TestDatabase, "pool">): Promise<void> {
  await pool.query("update journal_head set chapter_entries = $1", [CHAPTER_ENTRIES]);
}

/** How many connections wait for what another has locked. */
export async function waitingBackends({ pool }: Pick<TestDatabase, "pool">): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as waiting from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows[0].waiting;
}

/** A filter that every transaction passes. */
export const ALL: TransactionFilter = {
  agent: undefined,
  role: undefined,
  state: undefined,
  capability: undefined,
  from: undefined,
  until: undefined,
};

/** Both stores on a database. */
export function openStores(
  database: Pick<TestDatabase, "pool">,
  now: () => Date = () => new Date(),
  others: Partial<StoreOptions> = {},
) {
  const newId = () => randomUUIDv7();
  const options: StoreOptions = { pool: database.pool, now, newId, newPseudonym, ...others };
  return {
    ledger: createLedgerStore(options),
    lineage: createLineageStore(options),
    log: createLogStore(options),
  };
}

/** How long the tests' holds last unless they say so. */
export const DAY_MS = 24 * 3_600_000;

/** So many micros of the tests' currency. */
export function eur(micros: bigint | number): Money {
  return { micros: BigInt(micros), currency: "EUR" };
}

/** The principal of an agent. */
export function agent(id: string): Caller {
  return { kind: "agent", id };
}

/** The operator. */
export const OPERATOR: Caller = { kind: "operator", id: "" };

/** The service that records most transactions. */
export const AUCTION: Caller = { kind: "service", id: "auction" };

/**
 * A command that holds 100 micros at `ann` for `bob`, recorded by the auction, but for what is
 * given.
 */
export function recordOf(terms: Partial<RecordCommand["terms"]> = {}): RecordCommand {
  return {
    kind: "record",
    terms: {
      id: randomUUIDv7(),
      payer: "ann",
      provider: "bob",
      capability: "translate",
      amount: eur(100),
      context: undefined,
      recorder: "service:auction",
      groupId: undefined,
      holdMs: DAY_MS,
      delivery: undefined,
      arbitration: undefined,
      ...terms,
    },
  };
}

/** A command that pays 1,000 micros in for `ann`, but for what is given. */
export function depositOf(fields: Partial<TransferCommand> = {}): TransferCommand {
  return {
    kind: "transfer",
    transfer: "DEPOSIT",
    id: randomUUIDv7(),
    owner: "ann",
    amount: eur(1_000),
    taskId: "",
    ...fields,
  };
}

/** A command that settles a transaction as the auction. */
export function settleOf(id: string, amount?: Money): Command {
  return { kind: "settle", id, amount, caller: AUCTION };
}

/** A command that cancels a transaction as the auction. */
export function cancelOf(id: string): Command {
  return { kind: "cancel", id, caller: AUCTION };
}

/** A command that disputes a transaction as the auction, without evidence. */
export function disputeOf(id: string): DisputeCommand {
  return { kind: "dispute", id, caller: AUCTION, evidence: [], windows: WINDOWS };
}

/** A command by which the operator rules on a dispute. */
export function resolveOf(id: string, providerShareBps: number): Command {
  return { kind: "resolve", id, caller: OPERATOR, providerShareBps, reason: "heard both" };
}

/** The reason of a refusal, or the state of what was answered. */
export function outcomeOf(answer: Answer | undefined): string {
  if (answer?.kind === "refused") return answer.refusal.reason;
  return answer?.kind === "transaction" ? answer.transaction.state : "ok";
}

/** The balance of an account and what is promised out of it, in micros. */
export function amountsOf(account: Account | undefined) {
  if (account === undefined) return { posted: 0n, held: 0n };
  return { posted: balance(account), held: account.debitsHeld };
}
