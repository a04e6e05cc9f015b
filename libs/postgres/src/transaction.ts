import { setTimeout as delay } from "node:timers/promises";
import { Client, type Connection, type Pool, type PoolClient } from "pg";
import { isOutage, isSilence } from "./outage.ts";
import { identifier } from "./pool.ts";
import { sqlState } from "./violation.ts";

/** What a transaction, a client or a pool lets its user do: run statements. */
export type Tx = Pick<PoolClient, "query">;

/** How a transaction is run. */
export interface TransactionOptions {
  /** Aborting cancels the statement that runs, on the server, and rolls back. */
  readonly signal?: AbortSignal;
  /** "read committed" when absent. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable";
  /** Settings of the server for this transaction only: names and values are plain words. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How often to run `work` again after a serialization failure or a deadlock; 3 when absent. */
  readonly retries?: number;
  /** Jitter of the pause before a retry, in [0, 1). */
  readonly random?: () => number;
}

/**
 * Runs `work` in one transaction: commits when it resolves, rolls back when it throws.
 *
 * - The first error is the one thrown: neither the statements after it nor a failing rollback hide
 *   it; the latter only costs the connection.
 * - Statements may be issued together on a pool with `pipeline`, but `work` must wait for all of them.
 * - After an abort the signal's reason is thrown, `work` has ended, and nothing was written.
 * - 40001 and 40P01 run the whole of `work` again, so it must have no effect outside of `tx`.
 * - `tx` refuses statements once the transaction is over.
 */
export async function withTransaction<T>(
  pool: Pool,
  work: (tx: Tx) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { retries = 3, random = Math.random, signal } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await runOnce(pool, work, options);
    } catch (error) {
      if (attempt >= retries || !lostRace(error) || signal?.aborted === true) throw error;
      await delay(2 ** attempt * 10 * random());
    }
  }
}

function lostRace(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
}

async function runOnce<T>(
  pool: Pool,
  work: (tx: Tx) => Promise<T>,
  { signal, isolation = "read committed", settings = {} }: TransactionOptions,
): Promise<T> {
  const client = await connect(pool, signal);
  const ignore = () => {};
  // A connection lost between two statements emits "error", which nobody else listens to by now.
  client.on("error", ignore);
  const gate: Gate = { open: true };
  const canceller = cancelOnAbort(pool, client, signal);
  let broken: Error | undefined;
  try {
    await client.query(beginning(isolation, settings));
    const result = await work(gated(client, gate, signal));
    gate.open = false;
    await canceller.stop();
    signal?.throwIfAborted();
    await commit(client, gate);
    return result;
  } catch (error) {
    gate.open = false;
    await canceller.stop();
    broken = isSilence(error) ? (error as Error) : await rollback(client);
    const first = firstOf(error, gate);
    const isEnded = sqlState(first) === "57014" || isOutage(first);
    throw canceller.cancelled() && isEnded ? signal?.reason : first;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

/** All of it in one message to the server. */
function beginning(isolation: string, settings: Readonly<Record<string, string>>): string {
  const locals = Object.entries(settings).map(
    ([name, value]) => `set local ${identifier(name)} = ${identifier(value)}`,
  );
  return [`begin isolation level ${isolation}`, ...locals].join("; ");
}

async function connect(pool: Pool, signal: AbortSignal | undefined): Promise<PoolClient> {
  signal?.throwIfAborted();
  const connecting = pool.connect();
  if (signal === undefined) return connecting;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => {},
    );
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Lets statements through while the transaction lasts, and remembers the first that failed. */
interface Gate {
  open: boolean;
  failure?: unknown;
}

/** What made the transaction fail, when `error` only says that it has. */
function firstOf(error: unknown, { failure }: Gate): unknown {
  return sqlState(error) === "25P02" && failure !== undefined ? failure : error;
}

function gated(client: PoolClient, gate: Gate, signal?: AbortSignal): Tx {
  const query = (...parameters: Parameters<PoolClient["query"]>) => {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (!gate.open) return Promise.reject(new Error("the transaction is over"));
    const answer: unknown = client.query(...parameters);
    Promise.resolve(answer).catch((error) => {
      gate.failure ??= error;
    });
    return answer;
  };
  return { query: query as unknown as PoolClient["query"] };
}

async function commit(client: PoolClient, { failure }: Gate): Promise<void> {
  // Postgres answers the commit of a failed transaction with a rollback, not with an error.
  const { command } = await client.query("commit");
  if (command !== "COMMIT") {
    throw new Error("nothing was committed: a statement failed and its error was swallowed", {
      cause: failure,
    });
  }
}

async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query("rollback");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** How long a statement that was cancelled may take to say so before its connection counts as lost. */
const CANCELLED_MS_MAX = 5_000;

/**
 * Cancels over a connection of its own, since the pool may be exhausted by what is to be cancelled.
 * `stop` waits for the cancel request: were it late, it would hit the next user of the connection.
 */
function cancelOnAbort(pool: Pool, client: PoolClient, signal: AbortSignal | undefined) {
  let cancelling: Promise<void> | undefined;
  let patience: NodeJS.Timeout | undefined;
  const onAbort = () => {
    cancelling = cancelStatement(pool, client);
    patience = setTimeout(() => sever(client), CANCELLED_MS_MAX);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  return {
    cancelled: () => cancelling !== undefined,
    stop: async () => {
      signal?.removeEventListener("abort", onAbort);
      await cancelling;
      clearTimeout(patience);
    },
  };
}

async function cancelStatement(pool: Pool, target: PoolClient): Promise<void> {
  const { processID } = target as PoolClient & { readonly processID: number };
  const canceller = new Client(pool.options);
  canceller.on("error", () => {});
  try {
    await canceller.connect();
    await canceller.query("select pg_cancel_backend($1)", [processID]);
  } catch {
    // The server cannot be told, so the connection goes: that ends the statement on our side.
    sever(target);
  } finally {
    await canceller.end().catch(() => {});
  }
}

/** Ends a connection at once; the driver itself would wait for answers that may never come. */
function sever(client: PoolClient): void {
  (client as PoolClient & { readonly connection: Connection }).connection.stream.destroy();
}
