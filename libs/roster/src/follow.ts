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
  readonly open: (resumeToken: string, signal: AbortSignal) => Promise<AsyncIterable<Watched>>;
  readonly follower: Follower;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * Follows the registry until the signal aborts: resumes a lost stream after a back-off, starts anew when its token is
 * refused.
 */
export async function follow({ open, follower, random, signal }: FollowOptions): Promise<void> {
  // A message that bears no new token is heard of here only: to hand one on costs more than to read it.
  async function* heard(token: string, inner: AbortSignal) {
    let last = "";
    for await (const message of await open(token, inner)) {
      follower.hear(message);
      if (isSnapshot(message) && message.resumeToken === last) continue;
      last = message.resumeToken;
      yield message;
    }
  }
  const stream = resumed(
    {
      open: heard,
      isSnapshot,
      pauseMs: (attempt) => backoffMs(attempt, random),
      onBegin: follower.begin,
      onEnd: follower.end,
    },
    signal,
  );
  while ((await stream.next()).done !== true);
  follower.end(undefined);
}

function isSnapshot({ event }: Watched): boolean {
  return event.case === "agent" || event.case === "agents";
}
