/**
 * The messages of a stream whose call ends when the loop over them does.
 *
 * The iterables of a Connect client have no `return`, so that a `break` would leave the call open
 * for ever; here it aborts the signal that `open` passes to the call. An abort of `signal` ends the
 * call as well.
 */
export async function* streamed<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  signal?: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const ended = new AbortController();
  const inner = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  try {
    yield* open(inner);
  } finally {
    ended.abort();
  }
}
