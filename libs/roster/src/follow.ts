import { setTimeout as wait } from "node:timers/promises";
import type { WatchAgentsResponse } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { reasonOf, streamed } from "@bourse/rpc";
import { backoffMs } from "./backoff.ts";

/** Who wants to know what the registry streams. */
export interface Follower {
  /** A stream begins: a full one carries every agent before `synced`, another only what changed since the last. */
  begin(stream: { readonly full: boolean }): void;
  /** One message of the stream. */
  hear(message: WatchAgentsResponse): void;
  /** The stream ended; `error` is undefined when the server closed it. */
  end(error: unknown): void;
}

/** What it takes to follow a stream. */
export interface FollowOptions {
  readonly open: (resumeToken: string, signal: AbortSignal) => AsyncIterable<WatchAgentsResponse>;
  readonly follower: Follower;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * Follows the registry until the signal aborts: resumes a lost stream after a back-off, starts anew when its token is
 * refused.
 */
export async function follow({ open, follower, random, signal }: FollowOptions): Promise<void> {
  let token = "";
  let attempt = 0;
  while (!signal.aborted) {
    let error: unknown;
    try {
      follower.begin({ full: token === "" });
      const sent = token;
      for await (const message of streamed((inner) => open(sent, inner), signal)) {
        // Not for an agent: a stream that never gets beyond its snapshot must not begin it ten times a second.
        if (message.event.case !== "agent") attempt = 0;
        if (message.resumeToken !== "") token = message.resumeToken;
        follower.hear(message);
      }
    } catch (failure) {
      error = failure;
    }
    if (signal.aborted) break;
    const refused = token !== "" && reasonOf(error) === "INVALID_RESUME_TOKEN";
    if (refused) token = "";
    follower.end(refused ? undefined : error);
    if (refused) continue;
    attempt += 1;
    await wait(backoffMs(attempt, random), undefined, { signal }).catch(() => {});
  }
  follower.end(undefined);
}
