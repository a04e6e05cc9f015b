import { setTimeout as wait } from "node:timers/promises";
import { backoffMs, reasonOf } from "@bourse/rpc";
import { Code, ConnectError } from "@connectrpc/connect";

const PASSING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Canceled,
]);
const FAULTS: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown]);
const FAULT_ATTEMPTS = 5;

/** Whether the market was away or busy for a moment: the same call may succeed later. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof ConnectError) || reasonOf(error) === "MESSAGE_TOO_LARGE") return false;
  return PASSING.has(error.code);
}

/** Whether the market, or the way to it, has failed: the same call may succeed later, or never. */
export function isFault(error: unknown): boolean {
  return error instanceof ConnectError && FAULTS.has(error.code);
}

/** How to try again. */
export interface RetryOptions {
  readonly signal: AbortSignal;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly onRetry?: (error: unknown) => void;
}

/**
 * Makes a call until it is answered or refused for good.
 * @throws what it was refused with; or the last error once the signal has aborted
 */
export async function insist<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const again = isPassing(error) || (isFault(error) && attempt < FAULT_ATTEMPTS);
      if (options.signal.aborted || !again) throw error;
      options.onRetry?.(error);
      const pauseMs = backoffMs(attempt, options.random);
      await wait(pauseMs, undefined, { signal: options.signal }).catch(() => {});
      if (options.signal.aborted) throw error;
    }
  }
}
