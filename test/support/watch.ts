import { streamed } from "@bourse/rpc";

/** A stream that is read up to what is waited for, and ends when disposed. */
export interface Watch<T> extends AsyncDisposable {
  /** Reads on to the first event that fits. */
  next(fits: (event: T) => boolean): Promise<T>;
}

/** Opens a stream. */
export function watch<T>(open: (signal: AbortSignal) => AsyncIterable<T>): Watch<T> {
  const ended = new AbortController();
  const events = streamed(open, ended.signal);
  return {
    async next(fits) {
      for (;;) {
        const { value, done } = await events.next();
        if (done) throw new Error("the stream ended before what was waited for");
        if (fits(value)) return value;
      }
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await events.return(undefined).catch(() => {});
    },
  };
}
