import { once } from "node:events";
import { ConnectError } from "@connectrpc/connect";
import { type ClientDuplexStream, type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { errorOfSignal, errorOfStatus } from "./failure.ts";
import { headersOf } from "./metadata.ts";

/** What is known of a stream once its response headers are there. */
export interface OpenedStream<O> {
  readonly header: Headers;
  /** Filled when the stream has ended. */
  readonly trailer: Headers;
  readonly message: AsyncIterable<O>;
}

/**
 * Feeds the input to a call, waits for its headers or its end, and gives its messages; the signal
 * cancels it.
 */
export async function openStream<I, O>(
  raw: ClientDuplexStream<I, O>,
  input: AsyncIterable<I>,
  signal: AbortSignal | undefined,
): Promise<OpenedStream<O>> {
  const over = new AbortController();
  const trailer = new Headers();
  let header = new Headers();
  let failure: unknown;
  let ending: StatusObject | undefined;

  const cancel = (): void => raw.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  // The status tells the same; without a listener the event would bring the process down.
  raw.on("error", () => {});
  const ended = new Promise<StatusObject>((resolve) => {
    raw.once("status", (final: StatusObject) => {
      ending = final;
      signal?.removeEventListener("abort", cancel);
      for (const [key, value] of headersOf(final.metadata)) trailer.append(key, value);
      over.abort();
      resolve(final);
    });
  });
  const begun = new Promise<void>((resolve) => {
    raw.once("metadata", (metadata: Metadata) => {
      header = headersOf(metadata);
      resolve();
    });
  });
  void send(raw, input, over.signal).catch((error: unknown) => {
    if (over.signal.aborted) return;
    failure = error;
    raw.cancel();
  });

  async function* received(): AsyncGenerator<O, void, undefined> {
    try {
      // The error that the iterator may throw is the status once more.
      const messages = raw.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
      for (;;) {
        const next = await messages.next().catch(() => undefined);
        if (next === undefined || next.done === true) break;
        yield next.value as O;
      }
      throwUnlessOk(await ended);
    } finally {
      if (ending === undefined) raw.cancel();
    }
  }

  function throwUnlessOk(final: StatusObject): void {
    if (final.code === status.OK) return;
    if (failure !== undefined) throw ConnectError.from(failure);
    if (signal?.aborted === true && final.code === status.CANCELLED) throw errorOfSignal(signal);
    throw errorOfStatus(final);
  }

  await Promise.race([begun, ended]);
  if (ending !== undefined && raw.readableLength === 0) throwUnlessOk(ending);
  return { header, trailer, message: received() };
}

/** Writes the input as fast as the call takes it; when the call is over the input is let go of. */
async function send<I>(
  raw: ClientDuplexStream<I, unknown>,
  input: AsyncIterable<I>,
  over: AbortSignal,
): Promise<void> {
  const messages = input[Symbol.asyncIterator]();
  const release = async (): Promise<void> => {
    await messages.return?.();
  };
  // Nobody is left to be told what goes wrong in the end.
  const stop = (): void => void release().catch(() => {});
  over.addEventListener("abort", stop, { once: true });
  for (;;) {
    const next = await messages.next();
    if (over.aborted) return;
    if (next.done === true) break;
    if (!raw.write(next.value)) await once(raw, "drain", { signal: over });
  }
  over.removeEventListener("abort", stop);
  raw.end();
}
