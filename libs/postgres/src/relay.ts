import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import {
  admitArrivals,
  type ClaimedMessage,
  claimRuns,
  deleteDelivered,
  endRuns,
  type Run,
  recordFailure,
} from "./claim.ts";
import type { OutboxMessage } from "./outbox.ts";
import { type Tx, withTransaction } from "./transaction.ts";

/** How a relay works; times are in milliseconds. */
export interface RelayOptions {
  readonly pool: Pool;
  /** Tells the receiver; may be called more than once for a message. Should heed the signal. */
  readonly deliver: (message: OutboxMessage, signal: AbortSignal) => Promise<void>;
  /**
   * Whether trying again cannot help; such a message is parked. No error is permanent when absent.
   */
  readonly permanent?: (error: unknown) => boolean;
  /** For tests. The clock of the database when absent, so that replicas agree about claims. */
  readonly now?: () => Date;
  /** Jitter of the back-off, in [0, 1). */
  readonly random?: () => number;
  /**
   * How often to look without being poked: finds retries and what a dead process left. 500 when
   * absent.
   */
  readonly pollMs?: number;
  /**
   * Least time from one look to the next while there is less to deliver than could be; 0 when absent. What comes
   * meanwhile is claimed together, and is so much later.
   */
  readonly paceMs?: number;
  /** How many keys are delivered at once; 16 when absent. */
  readonly concurrency?: number;
  /** How long one delivery may take; 5 000 when absent. */
  readonly timeoutMs?: number;
  /** How long disposing waits for deliveries under way before it aborts them; 5 000 when absent. */
  readonly drainMs?: number;
  /** Told of each failed delivery. */
  readonly onError?: (message: OutboxMessage, error: unknown) => void;
  /** Told when the relay itself cannot work, as when the database is away; it goes on trying. */
  readonly onFault?: (error: unknown) => void;
}

/** What waits in an outbox, for metrics. */
export interface OutboxDepth {
  /** Waiting or under way, those behind a parked message included. */
  readonly pending: number;
  readonly parked: number;
  /** Age of the oldest pending message; 0 when there is none. */
  readonly oldestAgeSeconds: number;
}

/** Delivers an outbox until it is disposed. */
export interface Relay extends AsyncDisposable {
  /** Looks for messages at once: call it after a commit that enqueued some. */
  poke(): void;
  depth(): Promise<OutboxDepth>;
}

const RUN_LENGTH_MAX = 50;
const ARRIVALS_MAX = 1_000;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 60_000;
const ERROR_LENGTH_MAX = 2_000;

/**
 * Starts delivering the outbox in `pool`'s search path. Replicas may run any number of relays at
 * once.
 *
 * A message is delivered at least once, after its predecessors of the same key. After a failure it
 * waits 250 ms, doubling up to a minute, with jitter, and its successors wait with it. A claim that
 * a dead process left runs out after twice `timeoutMs`.
 */
export function startRelay(options: RelayOptions): Relay {
  const { pool, concurrency = 16, drainMs = 5_000, random = Math.random } = options;
  const { paceMs = 0, pollMs = 500, timeoutMs = 5_000, onFault = () => {} } = options;
  const leaseMs = 2 * timeoutMs;
  const farMs = 2 * Math.max(BACKOFF_MAX_MS, leaseMs);
  const clock = () => options.now?.();
  const stopping = new AbortController();
  const killing = new AbortController();
  const bell = createBell();
  const settle = gathered((messages: readonly ClaimedMessage[]) => {
    return deleteDelivered(pool, messages);
  }, onFault);
  const end = gathered((runs: readonly Run[]) => endRuns(pool, runs, clock()), onFault);
  const lanes = new Set<Promise<void>>();

  /** Resolves with whether there may be more to deliver than was claimed. */
  async function look(keys: number): Promise<boolean> {
    while ((await admitArrivals(pool, { limit: ARRIVALS_MAX, now: clock() })) >= ARRIVALS_MAX);
    // Counted from before the claim, and not by a clock that can be set, so that it ends no later
    // here than it does in the table.
    const untilMs = performance.now() + leaseMs;
    const claim = { token: randomUUID(), keys, length: RUN_LENGTH_MAX, leaseMs, farMs };
    const claiming = (tx: Tx) => claimRuns(tx, { ...claim, now: clock() });
    const runs = await withTransaction(pool, claiming);
    for (const run of runs) {
      const lane: Promise<void> = carry(run, untilMs)
        .catch(onFault)
        .finally(() => {
          lanes.delete(lane);
          bell.ring();
        });
      lanes.add(lane);
    }
    return runs.length === keys || runs.some((run) => run.messages.length === RUN_LENGTH_MAX);
  }

  async function carry(run: Run, untilMs: number): Promise<void> {
    const settled: Promise<boolean>[] = [];
    for (const message of run.messages) {
      if (stopping.signal.aborted || untilMs - performance.now() < timeoutMs) break;
      const failure = await attempt(message);
      if (failure === undefined) {
        settled.push(settle(message));
        continue;
      }
      await Promise.all(settled);
      if (killing.signal.aborted) break;
      await recordFailure(pool, run, { ...failure, position: message.position, now: clock() });
      return;
    }
    // What could not be deleted stays claimed and is delivered again later.
    if ((await Promise.all(settled)).every(Boolean)) await end(run);
  }

  /** Resolves with undefined when the message was delivered. */
  async function attempt({ attempts, id, kind, key, payload }: ClaimedMessage) {
    const told: OutboxMessage = { id, kind, key, payload };
    try {
      await within(timeoutMs, killing.signal, (signal) => options.deliver(told, signal));
      return undefined;
    } catch (cause) {
      if (!killing.signal.aborted) options.onError?.(told, cause);
      const parks = options.permanent?.(cause) ?? false;
      return { error: textOf(cause), pauseMs: parks ? undefined : backoffMs(attempts, random) };
    }
  }

  async function work(): Promise<void> {
    for (let faults = 0; !stopping.signal.aborted; ) {
      bell.reset();
      const startMs = performance.now();
      let hasMore = true;
      try {
        if (lanes.size < concurrency) hasMore = await look(concurrency - lanes.size);
        faults = 0;
      } catch (error) {
        faults++;
        onFault(error);
        await pause(Math.min(pollMs * 2 ** faults, 10_000), stopping.signal);
      }
      await bell.rung(pollMs);
      const restMs = hasMore ? 0 : paceMs - (performance.now() - startMs);
      if (restMs > 0) await pause(restMs, stopping.signal);
    }
  }

  const working = work();
  return {
    poke: bell.ring,
    depth: () => measureDepth(pool, clock() ?? new Date()),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      bell.ring();
      await working;
      const limit = setTimeout(() => killing.abort(new Error("the relay is stopping")), drainMs);
      await Promise.all(lanes);
      clearTimeout(limit);
    },
  };
}

/**
 * Returns a function that does `work` for one item, with all that gathered while it was done for
 * those before, and resolves with whether it was done.
 */
function gathered<T>(
  work: (items: readonly T[]) => Promise<void>,
  onFault: (error: unknown) => void,
): (item: T) => Promise<boolean> {
  let waiting: T[] = [];
  let next: Promise<boolean> | undefined;
  let current: Promise<unknown> = Promise.resolve();
  return (item) => {
    waiting.push(item);
    next ??= current.then(async () => {
      const items = waiting;
      waiting = [];
      next = undefined;
      const working = work(items).then(
        () => true,
        (error: unknown) => {
          onFault(error);
          return false;
        },
      );
      current = working;
      return working;
    });
    return next;
  };
}

/** Something to wait at that remembers a ring until it is reset. */
function createBell() {
  let ringing = Promise.withResolvers<void>();
  return {
    ring: () => ringing.resolve(),
    reset: () => {
      ringing = Promise.withResolvers<void>();
    },
    rung: async (limitMs: number): Promise<void> => {
      const timer = setTimeout(ringing.resolve, limitMs);
      await ringing.promise;
      clearTimeout(timer);
    },
  };
}

/**
 * Runs `work` and rejects when it takes too long or `outer` aborts, even when `work` does not heed.
 */
async function within(
  limitMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (reason: unknown) => {
    controller.abort(reason);
    reject(reason);
  };
  const onOuter = () => abort(outer.reason);
  const timer = setTimeout(() => abort(new Error(`no answer in ${limitMs} ms`)), limitMs);
  outer.addEventListener("abort", onOuter, { once: true });
  if (outer.aborted) onOuter();
  try {
    await Promise.race([work(controller.signal), aborted]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", onOuter);
  }
}

function backoffMs(failures: number, random: () => number): number {
  return Math.min(BACKOFF_FIRST_MS * 2 ** failures, BACKOFF_MAX_MS) * (0.5 + 0.5 * random());
}

/** Short, and without what a text in Postgres cannot hold. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll("\0", "").slice(0, ERROR_LENGTH_MAX);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

async function measureDepth(pool: Pool, now: Date): Promise<OutboxDepth> {
  const { rows } = await pool.query<{ pending: string; parked: string; oldest: Date | null }>(
    `select count(*) filter (where parked_at is null) as pending,
       count(*) filter (where parked_at is not null) as parked,
       min(created_at) filter (where parked_at is null) as oldest
     from outbox`,
  );
  const { pending = "0", parked = "0", oldest = null } = rows[0] ?? {};
  const ageMs = oldest === null ? 0 : Math.max(0, now.getTime() - oldest.getTime());
  return { pending: Number(pending), parked: Number(parked), oldestAgeSeconds: ageMs / 1000 };
}
