import { Code, ConnectError } from "@connectrpc/connect";
import { vi } from "vitest";

/** Codes after which the same request may be sent again: nobody knows whether it was done, or it was not. */
const PASSING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
]);

/** Whether an error leaves open what became of a call, so that it may be sent again. */
export function isPassing(error: unknown): boolean {
  return error instanceof ConnectError && PASSING.has(error.code);
}

/** Sends the very same request again until it is answered or refused, as the contracts ask of callers. */
export async function persist<T>(call: () => Promise<T>): Promise<T> {
  const end = await vi.waitFor(
    async () => {
      try {
        return { answer: await call() };
      } catch (error) {
        if (isPassing(error)) throw error;
        return { error };
      }
    },
    { interval: 100 },
  );
  if ("error" in end) throw end.error;
  return end.answer;
}
