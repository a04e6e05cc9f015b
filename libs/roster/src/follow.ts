import { backoffMs, resumed } from "@bourse/rpc";
import type { Watched } from "./watched.ts";

/** Who wants to know what the registry streams. */
export interface Follower {
  /** A stream begins: a full one carries every agent before `synced`, another only what changed since the last. */
  begin(stream: { readonly full: boolean }): void;
  /** One message of the stream. When it throws, the stream ends, and the message comes again with the next. */
  hear(message: Watched): void;
  /** The stream ended; `error` is undefined when the server closed it. */
  end(error: unknown): void;
}

/** What it takes to follow a stream. */
export interface FollowOptions {
  readonly open: (resumeToken: string, signal: AbortSignal) => AsyncIterable<Watched>;
  readonly follower: Follower;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * Follows the registry until the signal aborts: resumes a lost stream after a back-off, starts anew when its token is
 * refused.
 */
export async function follow({ open, follower, random, signal }: FollowOptions): Promise<void> {
  async function* heard(token: string, inner: AbortSignal) {
    for await (const message of open(token, inner)) {
      follower.hear(message);
      yield message;
    }
  }
  const stream = resumed(
    {
      open: heard,
      isSnapshot: ({ event }) => event.case === "agent",
      pauseMs: (attempt) => backoffMs(attempt, random),
      onBegin: follower.begin,
      onEnd: follower.end,
    },
    signal,
  );
  while ((await stream.next()).done !== true);
  follower.end(undefined);
}
