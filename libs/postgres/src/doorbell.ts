import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Client, type Pool } from "pg";
import { identifier } from "./pool.ts";

/** Wakes waiters of this process and, through Postgres, of all others that ring on the same channel. */
export interface Doorbell extends AsyncDisposable {
  /** Counts the rings heard so far: take it before looking, hand it to `rung` after. */
  turn(): number;
  /** Resolves when the bell rings or has rung after `turn`, after `limitMs`, or when the signal aborts. */
  rung(turn: number, limitMs: number, signal: AbortSignal): Promise<void>;
  /** Rings once for all who ring in this turn of the loop: here at its end, elsewhere soon after. */
  ring(): void;
  /** Rings in this process only. */
  wake(): void;
  /** Aborted when the bell is disposed. */
  readonly closed: AbortSignal;
}

/** Least time between two rings told to others: they look no more often, however often it changes. */
const RINGS_MS_MIN = 20;
const RECONNECT_MS_FIRST = 100;
const RECONNECT_MS_MAX = 5_000;

/** Opens a doorbell with one listening connection, which is opened again whenever it is lost. */
export function createDoorbell(options: {
  readonly pool: Pool;
  readonly channel: string;
  readonly onFault?: (error: unknown) => void;
}): Doorbell {
  const { pool, onFault = () => {} } = options;
  const channel = identifier(options.channel);
  const self = randomUUID();
  const closing = new AbortController();
  const { signal } = closing;
  const waiters = new Set<() => void>();
  let turns = 0;
  let announcing: Promise<void> | undefined;
  let again = false;
  let ringing = false;

  function wake(): void {
    turns++;
    for (const waiter of [...waiters]) waiter();
  }

  async function announce(): Promise<void> {
    do {
      again = false;
      const startMs = performance.now();
      try {
        await pool.query({
          name: "ring",
          text: "select pg_notify($1, $2)",
          values: [channel, self],
        });
      } catch (error) {
        // Whoever misses this ring looks by itself within its poll interval.
        onFault(error);
      }
      const restMs = RINGS_MS_MIN - (performance.now() - startMs);
      if (restMs > 0) await delay(restMs, undefined, { signal }).catch(() => {});
    } while (again && !signal.aborted);
    announcing = undefined;
  }

  const listening = listen({
    pool,
    channel,
    closed: closing.signal,
    onFault,
    onRing: (from) => {
      if (from !== self) wake();
    },
  });

  return {
    turn: () => turns,
    rung: async (turn, limitMs, signal) => {
      if (turn !== turns || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limitMs);
      waiters.add(resolve);
      const onAbort = () => resolve();
      signal.addEventListener("abort", onAbort);
      await promise;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      waiters.delete(resolve);
    },
    ring() {
      if (ringing) return;
      ringing = true;
      // A waiter who was woken by the first of many would look again for the others, and be late for those to come.
      setImmediate(() => {
        ringing = false;
        if (closing.signal.aborted) return;
        wake();
        again = true;
        announcing ??= announce();
      });
    },
    wake,
    closed: closing.signal,
    async [Symbol.asyncDispose]() {
      closing.abort();
      wake();
      await announcing;
      await listening;
    },
  };
}

async function listen(options: {
  readonly pool: Pool;
  readonly channel: string;
  readonly closed: AbortSignal;
  readonly onFault: (error: unknown) => void;
  readonly onRing: (from: string) => void;
}): Promise<void> {
  const { closed, onFault, onRing } = options;
  for (let pauseMs = RECONNECT_MS_FIRST; !closed.aborted; ) {
    const client = new Client(options.pool.options);
    const { promise: over, resolve: end } = Promise.withResolvers<unknown>();
    client.on("error", end);
    client.on("end", () => end(undefined));
    client.on("notification", (notification) => onRing(notification.payload ?? ""));
    const onClose = () => end(undefined);
    closed.addEventListener("abort", onClose, { once: true });
    let fault: unknown;
    try {
      await client.connect();
      await client.query(`listen ${options.channel}`);
      pauseMs = RECONNECT_MS_FIRST;
      // What was rung while nobody listened.
      onRing("");
      fault = await over;
    } catch (error) {
      fault = error;
    }
    closed.removeEventListener("abort", onClose);
    await client.end().catch(() => {});
    if (closed.aborted) return;
    onFault(fault ?? new Error("the listening connection was closed"));
    await delay(pauseMs, undefined, { signal: closed }).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX);
  }
}
