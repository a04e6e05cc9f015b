import { setTimeout as delay } from "node:timers/promises";

/** Whatever is closed when a service stops. */
export type Closeable = AsyncDisposable | Disposable;

/** What a process has opened, in the order of opening. */
export interface Closers {
  /** Takes something to close and returns it; when closing has begun it is closed at once. */
  add<C extends Closeable>(closeable: C): C;
  /**
   * Closes the last one first. A closer that fails or takes too long is told of, and the next one
   * has its turn.
   */
  close(): Promise<void>;
}

/** Makes an empty list of closers; `limitMs` is what each of them has. */
export function createClosers(options: {
  readonly limitMs: number;
  readonly onError: (error: unknown) => void;
}): Closers {
  const open: Closeable[] = [];
  let closing = false;

  async function closeOne(closeable: Closeable): Promise<void> {
    const closed = new AbortController();
    const limit = delay(options.limitMs, undefined, { signal: closed.signal }).then(
      () => Promise.reject(new Error(`not closed within ${options.limitMs} ms`)),
      () => {},
    );
    try {
      await Promise.race([dispose(closeable), limit]);
    } catch (error) {
      options.onError(error);
    } finally {
      closed.abort();
    }
  }

  return {
    add(closeable) {
      if (closing) void closeOne(closeable);
      else open.push(closeable);
      return closeable;
    },
    async close() {
      closing = true;
      for (const closeable of open.splice(0).reverse()) await closeOne(closeable);
    },
  };
}

async function dispose(closeable: Closeable): Promise<void> {
  if (Symbol.asyncDispose in closeable) await closeable[Symbol.asyncDispose]();
  else closeable[Symbol.dispose]();
}
