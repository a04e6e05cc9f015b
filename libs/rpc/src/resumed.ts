import { setTimeout as wait } from "node:timers/promises";
import { reasonOf } from "./reason.ts";
import { streamed } from "./streamed.ts";

/** How to follow a stream that can be resumed by a token: a snapshot, then changes. */
export interface ResumedOptions<T> {
  /** Opens the stream: with "" from its beginning, else behind the message that bore the token. */
  readonly open: (resumeToken: string, signal: AbortSignal) => AsyncIterable<T>;
  /**
   * Whether a message belongs to the snapshot. A stream that never gets beyond it is not begun
   * again without a pause, however much of it came.
   */
  readonly isSnapshot: (message: T) => boolean;
  /** How long to wait after `attempt` (from 1) streams in a row that did not get beyond it. */
  readonly pauseMs: (attempt: number) => number;
  /** Told before a stream is opened whether it starts from the beginning. */
  readonly onBegin?: (stream: { readonly full: boolean }) => void;
  /**
   * Told that a stream has ended and will be opened again; `error` is undefined when the server
   * closed it, or refused the token. What it throws ends the following.
   */
  readonly onEnd?: (error: unknown) => void;
}

/**
 * The messages of a stream until the signal aborts: resumes it when it is lost, and starts anew when
 * the server refuses the token with INVALID_RESUME_TOKEN. Nothing is missed, and some may come twice.
 * @throws what `onEnd` throws
 */
export async function* resumed<T extends { readonly resumeToken: string }>(
  options: ResumedOptions<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const { open, isSnapshot, pauseMs, onBegin, onEnd } = options;
  let token = "";
  let attempt = 0;
  while (!signal.aborted) {
    let error: unknown;
    try {
      onBegin?.({ full: token === "" });
      const sent = token;
      for await (const message of streamed((inner) => open(sent, inner), signal)) {
        if (!isSnapshot(message)) attempt = 0;
        if (message.resumeToken !== "") token = message.resumeToken;
        yield message;
      }
    } catch (failure) {
      error = failure;
    }
    if (signal.aborted) return;
    const refused = token !== "" && reasonOf(error) === "INVALID_RESUME_TOKEN";
    onEnd?.(refused ? undefined : error);
    if (refused) {
      token = "";
      continue;
    }
    attempt += 1;
    await wait(pauseMs(attempt), undefined, { signal }).catch(() => {});
  }
}
