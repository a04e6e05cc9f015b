import { setTimeout as pause } from "node:timers/promises";
import type { Queue } from "./queue.ts";
import { dueOf } from "./resolution.ts";
import type { LedgerStore } from "./store.ts";

const BATCH = 500;
const FAULT_MS_MAX = 10_000;

/**
 * Ends transactions by the rules that are due, until it is disposed. It needs nothing but the books,
 * and any number of loops may run on one database: each ending is a command like others, decided
 * under lock, and one that another loop was faster with changes nothing. Nobody has to wait for it
 * either: every command on a transaction ends it first when that is due.
 */
export function startDueLoop(options: {
  readonly store: Pick<LedgerStore, "dueTransactions">;
  readonly submit: Queue["submit"];
  readonly now: () => Date;
  /** How long to wait when nothing is due; 1,000 when absent. */
  readonly pollMs?: number;
  /** Told of what failed; the loop goes on. */
  readonly onFault: (error: unknown, transactionId?: string) => void;
}): AsyncDisposable {
  const { store, submit, now, onFault, pollMs = 1_000 } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  // What could not be ended, so that it does not keep the others from their turn.
  let stuck = new Set<string>();

  async function end(id: string): Promise<boolean> {
    const [answer] = await submit([{ kind: "due", id }], { signal });
    const dueAt = answer?.kind === "transaction" ? dueOf(answer.transaction) : undefined;
    return dueAt === undefined || dueAt > now();
  }

  /** Answers with whether there may be more. */
  async function round(): Promise<boolean> {
    const due = await store.dueTransactions(now(), BATCH + stuck.size, { signal });
    const ends = await Promise.allSettled(due.map(end));
    const left = new Set<string>();
    for (const [nth, id] of due.entries()) {
      const ended = ends[nth];
      if (ended?.status === "rejected" && !signal.aborted) onFault(ended.reason, id);
      if (ended?.status === "fulfilled" && ended.value) continue;
      left.add(id);
      if (ended?.status === "fulfilled" && !stuck.has(id)) {
        onFault(new Error("a rule is due, but the balance would go out of range"), id);
      }
    }
    stuck = left;
    return due.length - left.size >= BATCH;
  }

  async function work(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (await round()) continue;
        failures = 0;
      } catch (error) {
        failures++;
        if (!signal.aborted) onFault(error);
      }
      const ms = Math.min(pollMs * 2 ** failures, Math.max(pollMs, FAULT_MS_MAX));
      await pause(ms, undefined, { signal }).catch(() => undefined);
    }
  }

  const working = work();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await working;
    },
  };
}
