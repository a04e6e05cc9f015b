import { AWARDING_LEASE_MS } from "./award.ts";
import type { Awarder } from "./awarder.ts";
import type { Mover } from "./mover.ts";
import type { AuctionStore } from "./store.ts";
import { later } from "./task.ts";

/**
 * Does what is due until it is disposed: closes bidding, finishes awards, takes late tasks away,
 * accepts by silence.
 */
export interface DueLoop extends AsyncDisposable {
  /** Tells that something is due at a time, which may be before anything that the loop knows of. */
  expect(time: Date): void;
}

const BATCH = 100;
const CONCURRENCY = 16;
const FAULT_MS_MAX = 10_000;

/**
 * Starts a loop. It wakes when the next task is due, and every `pollMs` (1,000) for what other
 * processes made due. Any number of loops may run on one database: a task that one works on is
 * skipped by the others.
 */
export function startDueLoop(options: {
  readonly store: AuctionStore;
  readonly mover: Mover;
  readonly award: Awarder;
  readonly now: () => Date;
  readonly pollMs?: number;
  /** Told of what failed; the loop goes on. */
  readonly onFault: (error: unknown, taskId?: string) => void;
}): DueLoop {
  const { store, mover, award, now, onFault, pollMs = 1_000 } = options;
  const stopping = new AbortController();
  const faults = new Map<string, number>();
  const bell = createAlarm(now);

  async function settle(taskId: string): Promise<void> {
    try {
      const task = await mover.moveDue(taskId, (awarding, at) => {
        // Others keep off for as long as the ledger may take.
        return { ...awarding, dueTime: later(at, AWARDING_LEASE_MS) };
      });
      if (task !== undefined) await award(task, { signal: stopping.signal });
      faults.delete(taskId);
    } catch (error) {
      if (stopping.signal.aborted) return;
      faults.set(taskId, (faults.get(taskId) ?? 0) + 1);
      onFault(error, taskId);
    }
  }

  /** Answers with whether there may be more. */
  async function round(): Promise<boolean> {
    const due = await store.dueTasks(now(), BATCH + faults.size);
    for (const taskId of faults.keys()) if (!due.includes(taskId)) faults.delete(taskId);
    // What failed is tried again each round, but after what has not.
    const queue = due.toSorted((a, b) => (faults.get(a) ?? 0) - (faults.get(b) ?? 0));
    const isNew = queue.some((taskId) => !faults.has(taskId));
    const workers = Array.from({ length: CONCURRENCY }, async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        if (stopping.signal.aborted) return;
        await settle(id);
      }
    });
    await Promise.all(workers);
    return isNew && due.length >= BATCH;
  }

  async function work(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        bell.reset();
        if (await round()) continue;
        const next = await store.nextDueTime();
        if (next !== undefined && next > now()) bell.expect(next);
        failures = 0;
      } catch (error) {
        failures++;
        if (!stopping.signal.aborted) onFault(error);
      }
      await bell.rung(Math.min(pollMs * 2 ** failures, Math.max(pollMs, FAULT_MS_MAX)));
    }
  }

  const working = work();
  return {
    expect: bell.expect,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      bell.expect(now());
      await working;
    },
  };
}

/** The longest that a timer is trusted with; the poll comes sooner anyhow. */
const TIMER_MS_MAX = 60_000;

/**
 * Something to wait at that rings at the earliest time it was told, also when it was told before
 * the waiting began.
 */
function createAlarm(now: () => Date) {
  let ringing = Promise.withResolvers<void>();
  let atMs = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  function expect(time: Date): void {
    if (time.getTime() >= atMs) return;
    atMs = time.getTime();
    clearTimeout(timer);
    const inMs = atMs - now().getTime();
    if (inMs <= 0) ringing.resolve();
    else if (inMs < TIMER_MS_MAX) timer = setTimeout(ringing.resolve, inMs);
  }

  return {
    expect,
    reset(): void {
      clearTimeout(timer);
      atMs = Number.POSITIVE_INFINITY;
      ringing = Promise.withResolvers<void>();
    },
    async rung(limitMs: number): Promise<void> {
      const limit = setTimeout(ringing.resolve, limitMs);
      await ringing.promise;
      clearTimeout(limit);
      clearTimeout(timer);
    },
  };
}
